// Heddle's HTTP/2 server with grpc-js as its client: messages both ways, trailers, trailers only, cancellation.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js'

import { systemClock } from '../../src/core/clock.ts'
import { HeaderList } from '../../src/core/header-list.ts'
import type { ServerStream } from '../../src/proxy/codec/http-stream.ts'
import { Http2ServerConnection } from '../../src/proxy/codec/http2/server-connection.ts'
import { createNetBackend } from '../../src/proxy/io/net-backend.ts'
import { until } from '../kit/until.ts'

const same = (bytes: Buffer): Buffer => bytes
const seen: { te: string | undefined; ends: string[] } = { te: undefined, ends: [] }

/** Sends every byte of a message back, and the status in trailers. */
function serve(stream: ServerStream): void {
  const { path, headers } = stream.request
  seen.te = headers.get('te')
  if (path === '/echo.Echo/Missing') {
    const refusal = HeaderList.of(['content-type', 'application/grpc'], ['grpc-status', '5'], ['grpc-message', 'no'])
    stream.sendHead({ status: 200, headers: refusal }, 0)
    stream.sendEnd()
    return
  }
  stream.sendHead({ status: 200, headers: HeaderList.of(['content-type', 'application/grpc']) }, 'unknown')
  stream.handler = {
    onData: (bytes) => void (stream.sendData(bytes) || stream.pause()),
    // grpc-js ends its side of a call before it cancels it.
    onEnd: () => path !== '/echo.Echo/Hold' && stream.sendEnd(HeaderList.of(['grpc-status', '0'])),
    onDrain: () => stream.resume(),
    onClosed: (error) => seen.ends.push(error?.message ?? 'whole'),
  }
}

describe('grpc-js', async () => {
  const server = await createNetBackend(systemClock).listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    new Http2ServerConnection(connection, {
      clock: systemClock,
      idleTimeoutMs: 60_000,
      headTimeoutMs: 10_000,
      onStream: serve,
      onRefused: (reason) => assert.fail(reason),
      onClosed() {},
    }).start(new Uint8Array())
  })
  const client = new Client(`127.0.0.1:${server.address.port}`, credentials.createInsecure())
  after(async () => {
    client.close()
    await server.close()
  })

  function unary(path: string, message: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, same, same, message, (error, value) => {
        if (error === null) resolve(value as Buffer)
        else reject(error)
      })
    })
  }

  test('a unary call comes back, small and large', async () => {
    for (const size of [0, 10, 3_000_000]) {
      const message = Buffer.alloc(size, 'm')
      assert.ok((await unary('/echo.Echo/Say', message)).equals(message))
    }
    assert.equal(seen.te, 'trailers')
  })

  test('trailers only carry the status', async () => {
    await assert.rejects(unary('/echo.Echo/Missing', Buffer.from('x')), (error: ServiceError) => {
      assert.equal(error.code, status.NOT_FOUND)
      assert.equal(error.details, 'no')
      return true
    })
  })

  test('messages of a stream go both ways, one at a time', async () => {
    const call = client.makeBidiStreamRequest('/echo.Echo/Talk', same, same)
    const answers: string[] = []
    call.on('data', (message: Buffer) => answers.push(message.toString()))
    for (let i = 1; i <= 20; i++) {
      call.write(Buffer.from(`${i}`))
      await until(`answer ${i} has come`, () => answers.length === i)
    }
    const ended = new Promise<number>((resolve) => call.on('status', ({ code }) => resolve(code)))
    call.end()
    assert.equal(await ended, status.OK)
    assert.equal(answers.at(-1), '20')
  })

  test('a cancelled call is a reset', async () => {
    seen.ends.length = 0
    const call = client.makeBidiStreamRequest('/echo.Echo/Hold', same, same)
    call.on('error', () => {})
    call.write(Buffer.from('a'))
    await new Promise((resolve) => call.once('data', resolve))
    call.cancel()
    await until('the server has heard of it', () => seen.ends.length === 1)
    assert.match(seen.ends[0] ?? '', /reset the stream \(error 8\)/)
  })
})
