import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleRecord } from '../../../test/kit/sample-record.ts'
import { until } from '../../../test/kit/until.ts'
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { MeshTap, type Tapping } from './mesh-tap.ts'

const cleanUp: (() => void)[] = []
afterEach(() => {
  for (const one of cleanUp.splice(0)) one()
})

interface Proxy {
  readonly adminUrl: string
  /** Of those that tap it now. */
  readonly taps: Set<ServerResponse>
  readonly asked: { readonly url: string; readonly authorization: string }[]
}

async function proxy(): Promise<Proxy> {
  const taps = new Set<ServerResponse>()
  const asked: { url: string; authorization: string }[] = []
  const server = createServer((request, response) => {
    asked.push({ url: request.url ?? '', authorization: request.headers.authorization ?? '' })
    response.flushHeaders()
    taps.add(response)
    response.once('close', () => taps.delete(response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanUp.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { adminUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, taps, asked }
}

function say({ taps }: Proxy, ...lines: readonly object[]): void {
  for (const tap of taps) for (const line of lines) tap.write(`${JSON.stringify(line)}\n`)
}

interface Tapped {
  readonly clock: ManualClock
  readonly tapping: Tapping
  readonly records: DecisionRecord[]
  readonly tap: MeshTap
}

function tapAll(proxies: { name: string; adminUrl: string }[]): Tapped {
  const clock = new ManualClock()
  const tap = new MeshTap({ clock, token: 'of-the-mesh', proxies: () => proxies })
  const records: DecisionRecord[] = []
  const tapping = tap.open(new URLSearchParams({ status: '5xx' }), (record) => records.push(record))
  cleanUp.push(() => tapping.close())
  return { clock, tapping, records, tap }
}

describe('a tap of the whole mesh', () => {
  it('asks every proxy with the token of the mesh, and hands on what they tell', async () => {
    const [one, two] = [await proxy(), await proxy()]
    const { records, tapping, tap } = tapAll([
      { name: 'default/one', ...one },
      { name: 'default/two', ...two },
    ])
    await until('both are tapped', () => tapping.state().answering.length === 2)
    expect(one.asked).toEqual([{ url: '/tap?status=5xx', authorization: 'Bearer of-the-mesh' }])
    say(one, sampleRecord({ id: 'a' }))
    say(two, { dropped: 3 }, sampleRecord({ id: 'b' }))
    await until('both records came', () => records.length === 2)
    expect(records.map(({ id }) => id).toSorted()).toEqual(['a', 'b'])
    expect(tapping.state()).toEqual({ answering: ['default/one', 'default/two'], silent: [], leftOut: 3 })
    expect(tap.requests.list()).not.toEqual([])
  })

  it('taps proxies that come later or start again, and leaves those that went', async () => {
    const [one, two] = [await proxy(), await proxy()]
    const proxies = [{ name: 'default/one', ...one }]
    const { clock, tapping } = tapAll(proxies)
    await until('one is tapped', () => tapping.state().answering.length === 1)
    proxies.push({ name: 'default/two', ...two })
    for (const tap of one.taps) tap.destroy()
    await until('one is silent', () => tapping.state().silent.length === 1)
    clock.advance(1_000)
    await until('both are tapped', () => tapping.state().answering.length === 2)
    proxies.shift()
    clock.advance(1_000)
    await until('one is left', () => one.taps.size === 0)
    expect(tapping.state().answering).toEqual(['default/two'])
  })

  it('ends with who watched', async () => {
    const one = await proxy()
    const { tapping } = tapAll([{ name: 'default/one', ...one }])
    await until('it is tapped', () => one.taps.size === 1)
    tapping.close()
    await until('it is not tapped any more', () => one.taps.size === 0)
  })

  it('hands on no more than 500 records a second', async () => {
    const one = await proxy()
    const { clock, records, tapping } = tapAll([{ name: 'default/one', ...one }])
    await until('it is tapped', () => tapping.state().answering.length === 1)
    say(one, ...Array.from({ length: 700 }, (_, index) => sampleRecord({ id: String(index) })))
    await until('as many as may came', () => records.length === 500)
    clock.advance(1_000)
    await until('the rest came', () => records.length === 700)
  })

  it('believes nothing that is no record', async () => {
    const one = await proxy()
    const { records, tapping } = tapAll([{ name: 'default/one', ...one }])
    await until('it is tapped', () => tapping.state().answering.length === 1)
    say(one, { id: 'x', request: 7 })
    await until('it is left', () => one.taps.size === 0)
    expect(records).toEqual([])
  })

  it('says which proxies do not answer', async () => {
    const { tapping } = tapAll([{ name: 'default/gone', adminUrl: 'http://127.0.0.1:1' }])
    await until('it is silent', () => tapping.state().silent.length === 1)
    expect(tapping.state()).toEqual({ answering: [], silent: ['default/gone'], leftOut: 0 })
  })
})
