// The server's end of an HTTP/2 connection on a peer in memory, with what happens on it written down.
import type { ServerStream } from '../../src/proxy/codec/http-stream.ts'
import { Http2ServerConnection } from '../../src/proxy/codec/http2/server-connection.ts'
import { FrameConnection, preface, settings } from './http2-frames.ts'
import { ManualClock } from './manual-clock.ts'

export interface Served {
  readonly connection: FrameConnection
  readonly http2: Http2ServerConnection
  readonly clock: ManualClock
  readonly streams: ServerStream[]
  readonly events: string[]
  readonly refusals: string[]
}

/** A server end with its preface and SETTINGS behind it, and whatever it says of its streams. */
export function serve(onStream: (stream: ServerStream) => void = () => {}): Served {
  const connection = new FrameConnection('client')
  const clock = new ManualClock()
  const streams: ServerStream[] = []
  const events: string[] = []
  const refusals: string[] = []
  const http2 = new Http2ServerConnection(connection, {
    clock,
    idleTimeoutMs: 60_000,
    headTimeoutMs: 10_000,
    onStream(stream) {
      streams.push(stream)
      stream.handler = {
        onData: (bytes) => events.push(`data ${Buffer.from(bytes).toString('latin1')}`),
        onEnd: (trailers) => events.push(trailers === undefined ? 'end' : `end ${[...trailers].join(' ')}`),
        onDrain: () => events.push('drain'),
        onClosed: (error) => events.push(error === undefined ? 'closed' : `closed: ${error.message}`),
      }
      onStream(stream)
    },
    onRefused: (reason) => refusals.push(reason),
    onClosed: () => events.push('connection closed'),
  })
  http2.start(preface)
  connection.push(settings())
  return { connection, http2, clock, streams, events, refusals }
}

/** RFC 9113 section 7. */
export const errors = {
  protocol: 1,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  compression: 9,
  calm: 11,
} as const
