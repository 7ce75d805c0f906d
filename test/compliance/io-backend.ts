// What every I/O back end must do: one suite, run on each of them.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type AddressInfo } from 'node:net'
import { after, afterEach, describe, it } from 'node:test'

import type { Connection, IoBackend } from '../../src/proxy/io/connection.ts'
import { freePort } from '../kit/request-line.ts'
import { until } from '../kit/until.ts'
import { describeChurn } from './io-churn.ts'
import { bytesOf, host, IoPairs, Recorder, reviews, web } from './io-pairs.ts'
import { describeSockets } from './io-sockets.ts'
import { describeTls } from './io-tls.ts'
import { describeWrites } from './io-writes.ts'

export function describeIoBackend(createBackend: () => IoBackend): void {
  const io = createBackend()
  const pairs = new IoPairs(io)
  const { open, sockets } = pairs

  afterEach(() => pairs.close())
  after(() => pairs.authority.remove())

  for (const [kind, connectPair] of [
    ['plain', () => pairs.plain()],
    ['secured', () => pairs.secured()],
  ] as const) {
    describe(`${io.name}, ${kind} connections`, () => {
      it('carry bytes both ways', async () => {
        const { near, far } = await connectPair()
        near.call(() => near.connection.write(bytesOf('hello')))
        await until('hello', () => far.text === 'hello')
        far.call(() => far.connection.write(bytesOf('world')))
        await until('world', () => near.text === 'world')
        assert.equal(near.connection.remotePort, far.connection.localPort)
        assert.equal(far.connection.remoteAddress, host)
      })

      it('can be half-closed by either side', async () => {
        const { near, far } = await connectPair()
        near.call(() => near.connection.write(bytesOf('last words')))
        near.call(() => near.connection.end())
        await until('the end', () => far.events.includes('end'))
        assert.equal(far.text, 'last words')
        far.call(() => far.connection.write(bytesOf('still here')))
        await until('the other side', () => near.text === 'still here')
        far.call(() => far.connection.end())
        await until('both closed', () => near.events.includes('close') && far.events.includes('close'))
        assert.equal(near.error, undefined)
        assert.equal(far.error, undefined)
        assert.deepEqual(near.events.slice(-2), ['end', 'close'])
      })

      it('keep bytes in order and whole, however large the writes', async () => {
        const { near, far } = await connectPair()
        const body = randomBytes(20_000_000)
        let taken = true
        for (let at = 0; at < body.length; at += 4_000_000) {
          taken = near.call(() => near.connection.write(body.subarray(at, at + 4_000_000)))
        }
        assert.equal(taken, false)
        await until('all of it', () => far.bytes === body.length)
        await until('the drain', () => near.drains > 0)
        const received = createHash('sha256').update(Buffer.concat(far.chunks)).digest('hex')
        assert.equal(received, createHash('sha256').update(body).digest('hex'))
      })

      it('carry single bytes', async () => {
        const { near, far } = await connectPair()
        for (const byte of bytesOf('one by one')) {
          const count = far.bytes
          near.call(() => near.connection.write(Uint8Array.of(byte)))
          await until('the byte', () => far.bytes > count)
        }
        assert.equal(far.text, 'one by one')
      })

      it('hold the sender up when the receiver pauses, and lose nothing', async () => {
        const { near, far } = await connectPair()
        far.call(() => far.connection.pause())
        let sent = 0
        while (near.call(() => near.connection.write(Buffer.alloc(100_000)))) sent += 100_000
        assert.ok(sent < 50_000_000)
        await new Promise((resolve) => setTimeout(resolve, 50))
        const atPause = far.bytes
        await new Promise((resolve) => setTimeout(resolve, 50))
        assert.equal(far.bytes, atPause)
        far.call(() => far.connection.resume())
        await until('the rest', () => far.bytes === sent + 100_000)
        await until('the drain', () => near.drains > 0)
      })

      it('close once, and drop what is written afterwards', async () => {
        const { near, far } = await connectPair()
        near.call(() => near.connection.destroy())
        near.call(() => near.connection.destroy())
        assert.equal(near.connection.closed, true)
        assert.equal(
          near.call(() => near.connection.write(bytesOf('lost'))),
          true,
        )
        near.call(() => near.connection.end())
        near.call(() => near.connection.pause())
        near.call(() => near.connection.resume())
        await until('our close', () => near.events.includes('close'))
        assert.deepEqual(near.events, ['close'])
        assert.equal(near.error, undefined)
        await until('the peer notices', () => far.events.includes('end') || far.events.includes('close'))
      })

      it('reset with an error: the peer cannot take it for an orderly end', async () => {
        const { near, far } = await connectPair()
        near.call(() => near.connection.write(bytesOf('part')))
        await until('the part', () => far.text === 'part')
        near.call(() => near.connection.destroy(new Error('broken off')))
        await until('both closed', () => near.events.includes('close') && far.events.includes('close'))
        assert.equal(near.error?.message, 'broken off')
        assert.ok(far.error)
        assert.equal(far.events.includes('end'), false)
      })

      it('close when they are broken off while their end is on its way', async () => {
        const { near } = await connectPair()
        near.call(() => near.connection.end())
        near.call(() => near.connection.destroy(new Error('no longer')))
        await until('closed', () => near.events.includes('close'))
        assert.equal(near.error?.message, 'no longer')
      })

      it('let the handler be replaced in the middle', async () => {
        const { near, far } = await connectPair()
        near.connection.write(bytesOf('first'))
        await until('first', () => far.text === 'first')
        const second = new Recorder(far.connection)
        near.connection.write(bytesOf('second'))
        await until('second', () => second.text === 'second')
        assert.equal(far.text, 'first')
      })
    })
  }

  describe(`${io.name}, opening`, () => {
    it('survives every order of destroying what was secured and what is beneath', async () => {
      for (const reset of [undefined, new Error('reset')]) {
        for (const order of [
          [0, 1, 2],
          [1, 2, 0],
          [2, 0, 1],
          [0, 2, 1],
        ]) {
          const { near, far } = await pairs.secured()
          const [beneath] = open.splice(0)
          assert.ok(beneath)
          near.connection.write(bytesOf('x'))
          const all = [beneath, near.connection, far.connection] as const
          for (const index of order) (all[index] as Connection).destroy(reset)
          await until('all to close', () => near.events.includes('close') && far.events.includes('close'))
        }
      }
    })

    it('tells the error of a taken address', async () => {
      const { port } = await pairs.accept()
      await assert.rejects(
        io.listen({ host, port }, () => {}),
        { code: 'EADDRINUSE' },
      )
    })

    it('rejects where nobody listens', async () => {
      await assert.rejects(io.connect({ host, port: await freePort(), timeoutMs: 1_000 }), { code: 'ECONNREFUSED' })
    })

    it('gives up a handshake that is not answered', async () => {
      const silent = createServer((socket) => socket.on('error', () => {}))
      await new Promise<void>((resolve) => silent.listen(0, host, resolve))
      const { port } = silent.address() as AddressInfo
      await assert.rejects(io.connect({ host, port, timeoutMs: 50, tls: pairs.near }), /within 50 ms/)
      const { port: securing, accepted } = await pairs.accept()
      const client = await io.connect({ host, port: securing, timeoutMs: 1_000 })
      open.push(client)
      await assert.rejects(io.secure(await accepted, new Uint8Array(0), pairs.far, 50), /timed out/)
      silent.close()
    })

    it('knows the peer on both sides', async () => {
      const { near, far } = await pairs.secured()
      assert.equal(near.connection.tls?.peerSpiffeId, reviews)
      assert.equal(far.connection.tls?.peerSpiffeId, web)
      assert.equal(near.connection.tls?.alpn, 'http/1.1')
      const leftMs = (far.connection.tls?.notAfterMs ?? 0) - Date.now()
      assert.ok(leftMs > 3_000_000 && leftMs < 3_700_000)
    })

    it('tells a late listener that the connection is closed', async () => {
      const { port } = await pairs.accept()
      const connection = await io.connect({ host, port, timeoutMs: 1_000 })
      connection.destroy()
      await new Promise((resolve) => setTimeout(resolve, 20))
      const late = new Recorder(connection)
      await until('the close', () => late.events.includes('close'))
      assert.deepEqual(late.events, ['close'])
    })

    it('stops accepting, while open connections go on', async () => {
      const { near, far } = await pairs.plain()
      const [socket] = sockets
      void socket?.close()
      await assert.rejects(io.connect({ host, port: near.connection.remotePort, timeoutMs: 1_000 }))
      near.connection.write(bytesOf('still'))
      await until('still', () => far.text === 'still')
    })
  })

  describeSockets(pairs)
  describeWrites(pairs)
  describeTls(pairs)
  describeChurn(pairs)
}
