// What every I/O back end owes to listening sockets: shared ports, and sockets that go from one process to another.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'

import { until } from '../kit/until.ts'
import { bytesOf, host, type IoPairs, Recorder } from './io-pairs.ts'

export function describeSockets(pairs: IoPairs): void {
  const { io } = pairs

  describe(`${io.name}, listening`, () => {
    it('shares a port where it is told to, and only there', async () => {
      const first = await io.listen({ host, port: 0 }, () => {}, { reusePort: true })
      pairs.sockets.push(first)
      pairs.sockets.push(await io.listen(first.address, () => {}, { reusePort: true }))
      await assert.rejects(
        io.listen(first.address, () => {}),
        { code: 'EADDRINUSE' },
      )
    })

    it('goes on with a socket that another process handed over, and loses none who waits', async () => {
      // The other process accepts nothing: its loop is held up while we connect.
      const holder = fork(new URL('io-socket-holder.ts', import.meta.url), [io.name])
      const [port] = (await once(holder, 'message')) as [number]
      const handed = once(holder, 'message')
      const waiting = await io.connect({ host, port, timeoutMs: 1_000 })
      pairs.open.push(waiting)
      const near = new Recorder(waiting)
      near.call(() => waiting.write(bytesOf('hello')))
      const [, handle] = (await handed) as [string, { fd: number }]
      pairs.sockets.push(
        await io.listen(handle, (connection) => {
          pairs.open.push(connection)
          const far = new Recorder(connection)
          far.onData = (bytes) => void connection.write(Buffer.from(bytes))
        }),
      )
      holder.kill()
      await until('the answer', () => near.text === 'hello')
      const later = await io.connect({ host, port, timeoutMs: 1_000 })
      pairs.open.push(later)
      const second = new Recorder(later)
      second.call(() => later.write(bytesOf('again')))
      await until('the answer', () => second.text === 'again')
      assert.equal(pairs.sockets.at(-1)?.address.port, port)
    })

    it('listens on IPv6', async () => {
      const socket = await io.listen({ host: '::1', port: 0 }, (connection) => {
        pairs.open.push(connection)
        connection.handler = { onData() {}, onEnd() {}, onClose() {}, onDrain() {} }
        connection.write(bytesOf(connection.remoteAddress))
      })
      pairs.sockets.push(socket)
      const near = await io.connect({ host: '::1', port: socket.address.port, timeoutMs: 1_000 })
      pairs.open.push(near)
      const recorder = new Recorder(near)
      await until('the address', () => recorder.text === '::1')
      assert.equal(near.localAddress, '::1')
    })

    it('connects by name', async () => {
      const { port, accepted } = await pairs.accept()
      pairs.open.push(await io.connect({ host: 'localhost', port, timeoutMs: 1_000 }))
      assert.equal((await accepted).localPort, port)
      await assert.rejects(io.connect({ host: 'no-such-host.invalid', port, timeoutMs: 5_000 }))
    })
  })
}
