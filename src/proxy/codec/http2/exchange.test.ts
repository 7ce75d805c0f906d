// Client and server codec joined: what goes in at one end comes out at the other, however it is cut and whoever stops for a while.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { ChunkedConnection } from '../../../../test/kit/chunked-pair.ts'
import { ManualClock } from '../../../../test/kit/manual-clock.ts'
import { HeaderList } from '../../../core/header-list.ts'
import type { ClientStream, ServerStream } from '../http-stream.ts'
import { Http2ClientConnection } from './client-connection.ts'
import { Http2ServerConnection } from './server-connection.ts'

interface Exchange {
  readonly path: string
  readonly headers: readonly (readonly [string, string])[]
  /** Sizes of the pieces of the request's body. */
  readonly pieces: readonly number[]
  readonly declared: boolean
  readonly trailers: boolean
  /** The receiver stops after every piece for a turn. */
  readonly halting: boolean
}

const exchanges: fc.Arbitrary<Exchange> = fc.record({
  path: fc.constantFrom('/', '/a?b=c', `/${'long'.repeat(100)}`),
  headers: fc.array(
    fc.tuple(fc.constantFrom('X-A', 'Accept', 'Cookie', 'X-Request-Id'), fc.stringMatching(/^[a-z0-9=]{1,40}$/)),
    { maxLength: 6 },
  ),
  pieces: fc.array(fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100_000 })), { maxLength: 6 }),
  declared: fc.boolean(),
  trailers: fc.boolean(),
  halting: fc.boolean(),
})

/** Sends pieces as far as they are taken, then the end. */
function sender(
  stream: Pick<ClientStream, 'sendData' | 'sendEnd'>,
  pieces: readonly Buffer[],
  trailers: HeaderList | undefined,
): () => void {
  const left = pieces.slice()
  let ended = false
  return () => {
    while (left.length > 0) {
      const piece = left.shift() as Buffer
      const goesOn = stream.sendData(piece)
      // Bytes are the codec's only during the call.
      piece.fill(0xcc)
      if (!goesOn) return
    }
    if (!ended) stream.sendEnd(trailers)
    ended = true
  }
}

function nothing(): void {}

function halt(stream: { pause(): void; resume(): void }): void {
  stream.pause()
  setImmediate(() => stream.resume())
}

/** Every request comes back as its own response. */
function mirror(stream: ServerStream): void {
  const got: Buffer[] = []
  const halting = stream.request.headers.get('x-halting') === '1'
  let go = nothing
  stream.handler = {
    onData(bytes) {
      got.push(Buffer.from(bytes))
      if (halting) halt(stream)
    },
    onEnd(trailers) {
      const headers = stream.request.headers.clone()
      headers.set('x-path', stream.request.path)
      headers.delete('content-length')
      const declared = stream.bodyLength === 'unknown' ? 'unknown' : Buffer.concat(got).length
      stream.sendHead({ status: 200, headers }, declared)
      go = sender(stream, got, trailers)
      go()
    },
    onDrain: () => go(),
    onClosed() {},
  }
}

function ask(client: Http2ClientConnection, exchange: Exchange): Promise<string> {
  const body = exchange.pieces.map((size, at) => Buffer.alloc(size, `${at}`))
  const total = exchange.pieces.reduce((sum, size) => sum + size, 0)
  const headers = HeaderList.of(...exchange.headers)
  if (exchange.halting) headers.add('X-Halting', '1')
  const length = exchange.declared ? total : 'unknown'
  const trailers = exchange.trailers && length !== 0 ? HeaderList.of(['X-Trailer', 'last']) : undefined
  return new Promise((resolve, reject) => {
    const got: Buffer[] = []
    let head = ''
    const stream = client.send(
      {
        head: { method: 'POST', scheme: 'http', authority: 'app:80', path: exchange.path, headers },
        length,
        upgrade: undefined,
      },
      {
        onInformational() {},
        onHead: (response) =>
          (head = `${response.status} ${[...response.headers].map((line) => line.join('=')).join('&')}`),
        onData(bytes) {
          got.push(Buffer.from(bytes))
          if (exchange.halting) halt(stream)
        },
        onEnd: (last) => resolve(`${head} ${digest(Buffer.concat(got))} ${last?.get('x-trailer') ?? ''}`),
        onDrain: () => go(),
        onFailed: ({ message }) => reject(new Error(message)),
      },
    )
    const go = length === 0 ? nothing : sender(stream, body, trailers)
    go()
  })
}

function digest(body: Buffer): string {
  return `${body.length}:${body.reduce((sum, byte, at) => (sum * 31 + byte + at) | 0, 7)}`
}

function expected({ path, headers, pieces, declared, trailers, halting }: Exchange): string {
  const body = Buffer.concat(pieces.map((size, at) => Buffer.alloc(size, `${at}`)))
  const cookies = headers.filter(([name]) => name === 'Cookie').map(([, value]) => value)
  const lines = headers.filter(([name]) => name !== 'Cookie').map(([name, value]) => `${name.toLowerCase()}=${value}`)
  if (halting) lines.push('x-halting=1')
  if (cookies.length > 0) lines.push(`cookie=${cookies.join('; ')}`)
  lines.push(`x-path=${path}`)
  if (declared && body.length > 0) lines.push(`content-length=${body.length}`)
  return `200 ${lines.join('&')} ${digest(body)} ${trailers && (!declared || body.length > 0) ? 'last' : ''}`
}

describe('client and server', () => {
  test('every exchange arrives whole, side by side', async () => {
    const sizes = fc.constantFrom([65_536], [1], [7, 1, 300], [9], [16_393, 10], [1000, 1, 1, 50_000])
    await fc.assert(
      fc.asyncProperty(fc.array(exchanges, { minLength: 1, maxLength: 8 }), sizes, async (all, cuts) => {
        const small = cuts.length === 1 && (cuts[0] as number) < 10
        // Single bytes are for small bodies: the test would take minutes.
        const list = small ? all.map((one) => ({ ...one, pieces: one.pieces.map((size) => size % 500 || 1) })) : all
        const [near, far] = ChunkedConnection.pair(cuts)
        const clock = new ManualClock()
        const refusals: string[] = []
        new Http2ServerConnection(far, {
          clock,
          idleTimeoutMs: 60_000,
          headTimeoutMs: 10_000,
          onStream: mirror,
          onRefused: (reason) => refusals.push(reason),
          onClosed() {},
        }).start(new Uint8Array())
        const client = new Http2ClientConnection(near, { clock, onIdle() {}, onCapacity() {}, onClosed() {} })
        const answers = await Promise.all(list.map((exchange) => ask(client, exchange)))
        expect(answers).toEqual(list.map(expected))
        expect(refusals).toEqual([])
        client.close()
      }),
      { numRuns: 100 },
    )
  }, 60_000)
})
