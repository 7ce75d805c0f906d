// A huge body to a reader that rests: what is on its way stays bounded, over HTTP/1.1, through an HTTP/2 link, and as opaque bytes.
import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { after, before, test } from 'node:test'

import {
  clusterOf,
  configOf,
  freePort,
  listenerOn,
  listenerWith,
  routesTo,
  startLine,
  tcpChain,
} from '../kit/request-line.ts'
import { startSidecarPair } from '../kit/sidecar-pair.ts'
import { testAuthority } from '../kit/svids.ts'

const bodyBytes = 256 * 1_048_576
/** What kernels and proxies may hold together: the sockets' buffers grow to several MiB each. */
const mostOnItsWay = 48 * 1_048_576
const authority = testAuthority()
let application: Server
let sent = 0

before(async () => {
  const piece = Buffer.alloc(262_144)
  application = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bodyBytes}\r\n\r\n`)
      const more = (): void => {
        while (sent < bodyBytes && !socket.destroyed) {
          sent += piece.length
          if (!socket.write(piece)) return
        }
        socket.off('drain', more).end()
      }
      socket.on('drain', more)
      more()
    })
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
})

after(() => {
  application.close()
  authority.remove()
})

/** Reads in bursts, with rests between; gives the most that was on its way, and how much this process grew. */
async function read(port: number): Promise<{ readonly onItsWay: number; readonly grownBytes: number }> {
  sent = 0
  let received = 0
  let onItsWay = 0
  let until = 0
  let grown = 0
  const startBytes = process.memoryUsage.rss()
  const socket: Socket = connect({
    host: '127.0.0.1',
    port,
    onread: {
      buffer: Buffer.alloc(65_536),
      callback(count) {
        received += count
        if (received < until) return true
        rest()
        return false
      },
    },
  })
  const rest = (): void => {
    setTimeout(() => {
      onItsWay = Math.max(onItsWay, sent - received)
      grown = Math.max(grown, process.memoryUsage.rss() - startBytes)
      until = received + bodyBytes / 8
      socket.resume()
    }, 150)
  }
  socket.write('GET / HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n')
  await new Promise((resolve) => socket.once('close', resolve))
  assert.ok(received >= bodyBytes, `${received} bytes`)
  return { onItsWay, grownBytes: grown }
}

function bounded({ onItsWay, grownBytes }: Awaited<ReturnType<typeof read>>): void {
  assert.ok(onItsWay < mostOnItsWay, `${onItsWay} bytes on their way`)
  assert.ok(grownBytes < 2 * mostOnItsWay, `${grownBytes} bytes more memory`)
}

const applicationPort = (): number => (application.address() as AddressInfo).port

test('through one proxy over HTTP/1.1', async () => {
  const port = await freePort()
  const { line } = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', [{ port: applicationPort() }])],
    }),
  )
  bounded(await read(port))
  await line.stop()
})

for (const upgradeToHttp2 of [true, false]) {
  test(`through two sidecars over a link of ${upgradeToHttp2 ? 'HTTP/2' : 'HTTP/1.1'}`, async () => {
    const pair = await startSidecarPair({ authority, applicationPort: applicationPort(), upgradeToHttp2 })
    bounded(await read(pair.port))
    await pair.stop()
  })
}

test('as opaque bytes', async () => {
  const port = await freePort()
  const { line } = await startLine(
    configOf({
      listeners: [listenerWith(port, [tcpChain('app')], { inspect: { tls: false, http: false } })],
      clusters: [clusterOf('app', [{ port: applicationPort() }])],
    }),
  )
  bounded(await read(port))
  await line.stop()
})
