import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { MemoryConnection } from '../../../test/kit/memory-connection.ts'
import { emptyHead, Relay, type RelayEnd } from './relay.ts'

const idleTimeoutMs = 1_000
let clock: ManualClock
let client: MemoryConnection
let server: MemoryConnection
let heard: string[]
let reported: [number, number][]
let ends: RelayEnd[]

const settled = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

function listener(name: string): MemoryConnection['handler'] {
  return {
    onData: (bytes) => void heard.push(`${name} ${String(Buffer.from(bytes))}`),
    onEnd: () => void heard.push(`${name} end`),
    onClose: (error) => void heard.push(`${name} closed${error === undefined ? '' : `: ${error.message}`}`),
    onDrain() {},
  }
}

beforeEach(() => {
  clock = new ManualClock()
  heard = []
  reported = []
  ends = []
  const [caller, upstream] = [MemoryConnection.pair(), MemoryConnection.pair()]
  client = caller[0]
  server = upstream[1]
  client.handler = listener('client')
  server.handler = listener('server')
  const relay = new Relay(caller[1], upstream[0], {
    clock,
    idleTimeoutMs,
    onBytes: (...bytes) => reported.push(bytes),
    onClosed: (end) => ends.push(end),
  })
  relay.start({ ...emptyHead, bytes: Buffer.from('head') }, Buffer.from('greeting'))
})

describe('a relay', () => {
  it('passes on first what each side had said before', async () => {
    client.write(Buffer.from('more'))
    await settled()
    expect(heard.toSorted()).toEqual(['client greeting', 'server head', 'server more'])
  })

  it('ends one direction only', async () => {
    client.end()
    await settled()
    server.write(Buffer.from('answer'))
    await settled()
    expect(heard).toContain('server end')
    expect(heard.at(-1)).toBe('client answer')
    expect(ends).toEqual([])
  })

  it('passes a reset on, and says whose it was', async () => {
    server.destroy(new Error('reset'))
    await settled()
    expect(heard).toContain('client closed: reset')
    expect(ends).toMatchObject([{ cause: 'upstream-failed', sentBytes: 4, receivedBytes: 8 }])
    expect(reported).toEqual([[4, 8]])
    expect(clock.pendingCount).toBe(0)
  })

  it('closes both sides when no byte has moved for too long', async () => {
    clock.advance(idleTimeoutMs - 1)
    server.write(Buffer.from('x'))
    await settled()
    clock.advance(idleTimeoutMs - 1)
    expect(ends).toEqual([])
    clock.advance(2)
    await settled()
    expect(ends).toMatchObject([{ cause: 'idle', receivedBytes: 9 }])
  })

  it('reports what it carries while it lives', async () => {
    client.write(Buffer.alloc(1_048_576))
    await settled()
    expect(reported).toEqual([[1_048_580, 8]])
  })
})
