// Fuzzes both ends of HTTP/2 with mutated frames: `node test/fuzz/http2-frames.ts [seconds] [seed]`. Nothing may throw, every stream is told
// of its end exactly once, and no cutting of the bytes may change what comes out. A failure prints the seed and the bytes.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { HeaderList } from '../../src/core/header-list.ts'
import { createRandom, type Random } from '../../src/core/random.ts'
import { Http2ClientConnection } from '../../src/proxy/codec/http2/client-connection.ts'
import { Http2ServerConnection } from '../../src/proxy/codec/http2/server-connection.ts'
import { frame, FrameConnection, preface, settings, turn, uint32 } from '../kit/http2-frames.ts'
import { ManualClock } from '../kit/manual-clock.ts'

/** Frames from the peer, one hex text a file; lines that start with "#" say what it is. */
const directory = join(import.meta.dirname, 'corpus/http2-frames')

export function readCorpus(from: string = directory): Buffer[] {
  return readdirSync(from)
    .toSorted()
    .map((name) => {
      const lines = readFileSync(join(from, name), 'latin1').split('\n')
      return Buffer.from(
        lines
          .filter((line) => !line.startsWith('#'))
          .join('')
          .replaceAll(/\s/g, ''),
        'hex',
      )
    })
}

const spices: readonly Buffer[] = [
  frame(0, 1, 1, Buffer.from('data')),
  frame(0, 0, 3),
  frame(1, 5, 3, Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 97])),
  frame(1, 0, 5, Buffer.from([0x82])),
  frame(3, 0, 1, uint32(8)),
  settings([4, 0]),
  settings([4, 100_000]),
  settings([1, 0]),
  frame(6, 0, 0, Buffer.alloc(8)),
  frame(7, 0, 0, uint32(1, 0)),
  frame(8, 0, 0, uint32(70_000)),
  frame(8, 0, 1, uint32(70_000)),
  frame(9, 4, 1),
]

export function mutate(random: Random, bytes: Buffer): Buffer {
  let mutated = Buffer.from(bytes)
  for (let left = random.int(4); left >= 0; left--) {
    const at = random.int(mutated.length + 1)
    const to = Math.min(mutated.length, at + random.int(20))
    const piece = mutated.subarray(at, to)
    switch (random.int(5)) {
      case 0:
        if (at < mutated.length) mutated[at] = random.int(256)
        break
      case 1:
        mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(to)])
        break
      case 2:
        mutated = Buffer.concat([mutated.subarray(0, to), piece, mutated.subarray(to)])
        break
      case 3: {
        // Between two frames, where it is most likely to be understood.
        const between = boundary(random, mutated)
        const spice = spices[random.int(spices.length)] as Buffer
        mutated = Buffer.concat([mutated.subarray(0, between), spice, mutated.subarray(between)])
        break
      }
      default:
        if (at < mutated.length) mutated[at] = (mutated[at] as number) ^ (1 << random.int(8))
    }
  }
  return mutated
}

function boundary(random: Random, bytes: Buffer): number {
  const boundaries = [0]
  let at = 0
  while (at + 9 <= bytes.length) {
    at += 9 + bytes.readUIntBE(at, 3)
    if (at <= bytes.length) boundaries.push(at)
  }
  return boundaries[random.int(boundaries.length)] as number
}

/** What a server makes of the bytes, and what it answers. */
async function served(bytes: Buffer, cuts: readonly number[]): Promise<string[]> {
  const connection = new FrameConnection('client')
  const events: string[] = []
  const ends = new Map<number, number>()
  let count = 0
  const http2 = new Http2ServerConnection(connection, {
    clock: new ManualClock(),
    idleTimeoutMs: 1000,
    headTimeoutMs: 1000,
    onStream(stream) {
      const number = count++
      const { method, path, authority, headers } = stream.request
      // The key of a WebSocket that came without one is made up.
      const lines = stream.upgrade === undefined ? [...headers].join('&') : ''
      events.push(`${number} ${method} ${authority} ${path} ${lines} ${stream.upgrade}`)
      for (const line of headers) assert.match(line.join(''), /^[\t\x20-\x7e\x80-\xff]*$/)
      let bodyBytes = 0
      stream.handler = {
        onData(piece) {
          bodyBytes += piece.length
          if (stream.request.method === 'POST') stream.sendData(piece)
        },
        onEnd() {
          events.push(`${number} end ${bodyBytes}`)
          if (stream.request.method !== 'POST') stream.sendHead({ status: 200, headers: new HeaderList() }, 100_000)
          if (stream.request.method !== 'POST') stream.sendData(Buffer.alloc(100_000))
          stream.sendEnd()
        },
        onDrain() {},
        onClosed(error) {
          events.push(`${number} closed ${error?.message ?? ''}`)
          ends.set(number, (ends.get(number) ?? 0) + 1)
        },
      }
      if (stream.request.method === 'POST') stream.sendHead({ status: 200, headers: new HeaderList() }, 'unknown')
    },
    onRefused: (reason) => events.push(`refused ${reason}`),
    onClosed: () => events.push('connection closed'),
  })
  http2.start(new Uint8Array())
  connection.push(Buffer.concat([preface, settings(), bytes]), ...cuts)
  await turn()
  connection.destroy()
  await turn()
  for (let number = 0; number < count; number++) assert.equal(ends.get(number), 1, `stream ${number} ended`)
  return [...events, ...connection.frames.map(({ type, streamId }) => `frame ${type} ${streamId}`)]
}

/** What a client that has asked three times makes of the bytes. */
async function called(bytes: Buffer, cuts: readonly number[]): Promise<string[]> {
  const connection = new FrameConnection('server')
  const events: string[] = []
  const client = new Http2ClientConnection(connection, {
    clock: new ManualClock(),
    onIdle() {},
    onCapacity() {},
    onClosed: () => events.push('connection closed'),
  })
  const ends = [0, 0, 0]
  for (const at of ends.keys()) {
    const head = { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: new HeaderList() } as const
    client.send(
      { head, length: 0, upgrade: undefined },
      {
        onInformational: ({ status }) => events.push(`${at} informational ${status}`),
        onHead: ({ status }, length) => events.push(`${at} head ${status} ${length}`),
        onData: (piece) => events.push(`${at} data ${piece.length}`),
        onEnd: () => events.push(`${at} end ${(ends[at] = (ends[at] ?? 0) + 1)}`),
        onDrain() {},
        onFailed: ({ kind }) => events.push(`${at} failed ${kind} ${(ends[at] = (ends[at] ?? 0) + 1)}`),
      },
    )
  }
  connection.push(Buffer.concat([settings(), bytes]), ...cuts)
  await turn()
  connection.destroy()
  await turn()
  assert.deepEqual(ends, [1, 1, 1])
  return events
}

export async function tryFrames(bytes: Buffer, random: Random): Promise<void> {
  const cuts = [1 + random.int(20), 1 + random.int(300)]
  for (const end of [served, called]) {
    const whole = await end(bytes, [])
    assert.deepEqual(await end(bytes, [1]), whole)
    assert.deepEqual(await end(bytes, cuts), whole)
  }
}

if (import.meta.main) {
  const [seconds = '10', seed = `${Date.now() >>> 0}`] = process.argv.slice(2)
  const random = createRandom(Number(seed))
  const corpus = readCorpus()
  const endMs = performance.now() + Number(seconds) * 1000
  let tried = 0
  while (performance.now() < endMs) {
    const bytes = mutate(random, corpus[random.int(corpus.length)] as Buffer)
    try {
      await tryFrames(bytes, random)
    } catch (error) {
      console.error(`seed ${seed}, input ${tried}:\n${bytes.toString('hex')}`)
      throw error
    }
    tried++
  }
  console.log(`${tried} inputs, seed ${seed}: nothing wrong`)
}
