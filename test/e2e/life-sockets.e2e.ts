// The sockets that a supervisor keeps for its proxies: who has which, and when they are closed.
import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'

import { answerOpen, KeptSockets } from '../../src/cli/up/kept-sockets.ts'
import { freePorts } from '../kit/free-ports.ts'

const host = '127.0.0.1'

test('a socket lives as long as one process accepts on it, and is kept for the next one when a process dies', async (t) => {
  const [port = 0] = await freePorts(1)
  const kept = new KeptSockets()
  t.after(() => kept.closeAll())
  const first = kept.open(1, { host, port })
  assert.equal(kept.open(2, { host, port }), first)
  const server = createServer()
  t.after(() => server.close())
  await new Promise<void>((resolve) => server.listen(first, resolve))
  kept.close(1, { host, port })
  assert.equal(await connects(port), true)
  kept.leave(2)
  assert.equal(kept.open(3, { host, port }), first)
  kept.leave(3)
  kept.closeUnused()
  assert.equal(await connects(port), false)
})

test('an address that somebody else has is refused with the error of the system', async (t) => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, host, resolve))
  t.after(() => other.close())
  const { port } = other.address() as { port: number }
  const [answer, socket] = answerOpen(new KeptSockets(), 1, { type: 'open', request: 7, host, port })
  assert.deepEqual(answer, {
    type: 'socket',
    request: 7,
    error: { code: 'EADDRINUSE', message: `bind EADDRINUSE ${host}:${port}` },
  })
  assert.equal(socket, undefined)
})

test('a port that workers share has a socket for each', async (t) => {
  const [port = 0] = await freePorts(1)
  const kept = new KeptSockets()
  t.after(() => kept.closeAll())
  assert.notEqual(kept.open(1, { host, port, share: 0 }), kept.open(1, { host, port, share: 1 }))
  assert.equal(kept.open(2, { host, port, share: 0 }), kept.open(3, { host, port, share: 0 }))
})

test('a name and any port are left to the proxy', () => {
  const kept = new KeptSockets()
  assert.equal(kept.open(1, { host: 'localhost', port: 80 }), undefined)
  assert.equal(kept.open(1, { host, port: 0 }), undefined)
})

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
