import { describe, expect, it } from 'vitest'

import { MemoryConnection } from '../../../../test/kit/memory-connection.ts'
import { HeaderList } from '../../../core/header-list.ts'
import type { ClientStream, ClientStreamHandler } from '../http-stream.ts'
import { Http1ClientConnection } from './client-connection.ts'

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

interface TestClient {
  readonly client: Http1ClientConnection
  readonly far: MemoryConnection
  readonly events: string[]
  /** What the server has received. */
  readonly received: () => string
  readonly send: (onData?: (stream: ClientStream) => void) => ClientStream
  readonly answer: (text: string) => Promise<void>
}

function createTestClient(): TestClient {
  const [near, far] = MemoryConnection.pair()
  const events: string[] = []
  let received = ''
  far.handler = { ...far.handler, onData: (bytes) => (received += Buffer.from(bytes).toString('latin1')) }
  const client = new Http1ClientConnection(near, {
    onIdle: () => events.push('idle'),
    onCapacity() {},
    onClosed: () => events.push('closed'),
  })
  return {
    client,
    far,
    events,
    received: () => received,
    send(onData) {
      const head = { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: new HeaderList() } as const
      const handler: ClientStreamHandler = {
        onInformational: (response) => events.push(`${response.status}`),
        onHead: (response) => events.push(`${response.status}`),
        onData(bytes) {
          events.push(Buffer.from(bytes).toString('latin1'))
          onData?.(stream)
        },
        onEnd: () => events.push('end'),
        onDrain() {},
        onFailed: ({ kind, responseBegun }) => events.push(`${kind}${responseBegun ? ' after a part' : ''}`),
      }
      const stream: ClientStream = client.send({ head, length: 0, upgrade: undefined }, handler)
      return stream
    },
    async answer(text) {
      far.write(Buffer.from(text, 'latin1'))
      await settle()
    },
  }
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

describe('the client end of a connection', () => {
  it('carries one request after the other', async () => {
    const { send, answer, events, received } = createTestClient()
    send()
    await answer(ok)
    send()
    await answer(ok)
    expect(events).toEqual(['200', 'ok', 'end', 'idle', '200', 'ok', 'end', 'idle'])
    expect(received()).toBe('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2))
  })

  it('is read on for the next request when the last answer was held up at its end', async () => {
    const { send, answer, events } = createTestClient()
    send((stream) => stream.pause())
    await answer(ok)
    send()
    await answer(ok)
    expect(events).toEqual(['200', 'ok', 'end', 'idle', '200', 'ok', 'end', 'idle'])
  })

  it('a stream that is over can no longer hold up the next', async () => {
    const { send, answer, events } = createTestClient()
    const first = send()
    await answer(ok)
    send()
    first.pause()
    first.abort()
    await answer(ok)
    expect(events).toEqual(['200', 'ok', 'end', 'idle', '200', 'ok', 'end', 'idle'])
  })

  it('never takes what comes too much for the next answer', async () => {
    const { send, answer, events } = createTestClient()
    send()
    await answer(`${ok}${ok}`)
    expect(events).toEqual(['200', 'ok', 'end', 'closed'])
  })

  it('says whether a failure came before any answer', async () => {
    for (const [text, failure] of [
      ['', 'reset'],
      ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok', 'reset after a part'],
      ['garbage\r\n\r\n', 'protocol-error after a part'],
    ] as const) {
      const { send, answer, events, far } = createTestClient()
      send()
      await answer(text)
      far.destroy()
      await settle()
      expect(events.filter((event) => event.startsWith('reset') || event.startsWith('protocol'))).toEqual([failure])
      expect(events.at(-1)).toBe('closed')
    }
  })

  it('ends with a response that ends with the connection', async () => {
    const { send, answer, events, far } = createTestClient()
    send()
    await answer('HTTP/1.1 200 OK\r\n\r\nall of it')
    far.end()
    await settle()
    expect(events).toEqual(['200', 'all of it', 'end', 'closed'])
  })

  it('given up, tells nobody and is not used again', async () => {
    const { send, answer, events, client } = createTestClient()
    send().abort()
    await answer(ok)
    expect(events).toEqual(['closed'])
    expect(client.closed).toBe(true)
  })
})
