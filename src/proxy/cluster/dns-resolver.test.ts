import { createSocket, type Socket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { resolveService } from './dns-resolver.ts'

let server: Socket
let records: readonly (readonly [priority: number, weight: number, port: number, target: string])[]

function nameBytes(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.')
  return Buffer.concat([...labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.from([0])])
}

/** One answer for every question: the records, or that there is no such name. */
function answer(query: Buffer): Buffer {
  const question = query.subarray(12, query.indexOf(0, 12) + 5)
  const head = Buffer.from(query.subarray(0, 12))
  head.writeUInt16BE(records.length === 0 ? 0x8183 : 0x8180, 2)
  head.writeUInt16BE(records.length, 6)
  head.writeUInt32BE(0, 8)
  const answers = records.map(([priority, weight, port, target]) => {
    const name = nameBytes(target)
    const fixed = Buffer.alloc(18)
    fixed.writeUInt16BE(0xc00c, 0) // the name asked for
    fixed.writeUInt16BE(33, 2) // SRV
    fixed.writeUInt16BE(1, 4)
    fixed.writeUInt32BE(30, 6)
    fixed.writeUInt16BE(6 + name.length, 10)
    for (const [i, value] of [priority, weight, port].entries()) fixed.writeUInt16BE(value, 12 + 2 * i)
    return Buffer.concat([fixed, name])
  })
  return Buffer.concat([head, question, ...answers])
}

beforeEach(async () => {
  server = createSocket('udp4')
  server.on('message', (query, { port, address }) => server.send(answer(query), port, address))
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
})

afterEach(() => {
  server.close()
})

function resolver(): Resolver {
  const own = new Resolver({ timeout: 1_000, tries: 1 })
  own.setServers([`127.0.0.1:${server.address().port}`])
  return own
}

describe('a service in DNS', () => {
  it('is its records', async () => {
    records = [
      [10, 60, 8080, 'a.example'],
      [20, 0, 8081, 'b.example'],
    ]
    const { addresses, ttlMs } = await resolveService('_http._tcp.api.example', resolver())
    expect(addresses.toSorted()).toEqual(['10 60 8080 a.example', '20 0 8081 b.example'])
    expect(ttlMs).toBeUndefined()
  })

  it('that is not offered there has none', async () => {
    records = [[0, 0, 0, '']]
    expect((await resolveService('_http._tcp.api.example', resolver())).addresses).toEqual([])
  })

  it('that nobody knows is an error', async () => {
    records = []
    await expect(resolveService('_http._tcp.api.example', resolver())).rejects.toThrow('ENOTFOUND')
  })
})
