// `timeouts.idle` of a TrafficPolicy in a running mesh: of requests, also between sidecars, of protocols that were changed to, and of connections of bytes.
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { connect, createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net'
import { after, before, it } from 'node:test'

import { send } from '../kit/http-client.ts'
import { meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const servers: (Server | TcpServer)[] = []
let mesh: RunningMesh

async function listening(server: Server | TcpServer): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const documents = (http: number, tcp: number): string => `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
spec: { uses: [app, bytes] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: app, labels: { app: app } }
spec: { ports: [{ name: http, port: ${http} }, { name: tcp, port: ${tcp} }] }
---
apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: v1
kind: Service
metadata: { name: bytes }
spec: { selector: { app: app }, ports: [{ name: tcp, port: 70, targetPort: tcp, appProtocol: tcp }] }
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: app }
spec:
  targetRefs: [{ kind: Service, name: app }, { kind: Service, name: bytes }]
  timeouts: { idle: 1s }
`

before(async () => {
  const http = createServer((request, response) => {
    if (request.url === '/trickle') {
      let left = 8
      const more = (): void => void (left-- > 0 ? (response.write('.'), setTimeout(more, 300)) : response.end())
      more()
    }
  })
  http.on('upgrade', (_, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
  })
  const tcp = createTcpServer((socket) => socket.on('error', () => {}).pipe(socket))
  mesh = await startMesh({ files: [await meshFile(documents(await listening(http), await listening(tcp)))] })
})

after(async () => {
  await mesh?.stop()
  for (const server of servers) server.close()
})

const addressOf = (service: string): string =>
  mesh.workload('client').services.find(({ name }) => name === service)?.address ?? ''

/** Milliseconds until the connection is closed, from the first word of the other side on. */
async function lasts(service: string, words: string): Promise<number> {
  const [host = '', port = ''] = addressOf(service).split(':')
  const socket = connect(Number(port), host)
  socket.on('error', () => {})
  socket.write(words)
  await new Promise((resolve) => socket.once('data', resolve))
  const startMs = performance.now()
  await new Promise((resolve) => socket.once('close', resolve))
  return performance.now() - startMs
}

it('ends a request on which nothing moves, and none that moves slowly', async () => {
  const startMs = performance.now()
  const { status, body } = await send({ address: addressOf('app'), target: '/', headers: { host: 'app' } })
  assert.equal(status, 504)
  assert.match(body, /nothing has moved for 1 s/)
  assert.ok(performance.now() - startMs < 10_000)
  const slow = await send({ address: addressOf('app'), target: '/trickle', headers: { host: 'app' } })
  assert.equal(slow.status, 200)
  assert.equal(slow.body, '........')
})

it('ends a protocol that was changed to, and a connection of bytes', async () => {
  const upgrade = 'GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
  const handshake = `${upgrade}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
  for (const lastedMs of [await lasts('app', handshake), await lasts('bytes', 'hello')])
    assert.ok(lastedMs > 500 && lastedMs < 10_000, `it lasted ${lastedMs} ms`)
})
