// TCP through two sidecars of a running mesh: servers that speak first, declared and not, by loopback listener and by CONNECT; TLS of the
// applications' own; TCPRoute with weights.
import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { Server, Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'

import { freePorts } from '../kit/free-ports.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { rawClient } from '../kit/raw-client.ts'
import { meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { until } from '../kit/until.ts'
import { webCertificate } from '../kit/web-certificates.ts'

let mesh: RunningMesh
const servers: Server[] = []
const certificate = webCertificate('secure.example')

function workload(name: string, port: number, appProtocol?: string): string {
  const protocol = appProtocol === undefined ? '' : `, appProtocol: ${appProtocol}`
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, address: 127.0.0.1, ports: [{ name: main, port: ${port} }] }
---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { selector: { app: ${name} }, ports: [{ name: main, port: 7000, targetPort: main${protocol} }] }
`
}

function tlsEcho(): Server {
  const { certificateChainPem: cert, privateKeyPem: key } = certificate
  return createTlsServer({ cert, key }, (socket) => socket.on('error', () => {}).pipe(socket))
}

before(async () => {
  const [declared = 0, undeclared = 0, secure = 0, left = 0, right = 0, http = 0, page = 0, sealed = 0, fork = 0] =
    await freePorts(9)
  const listening: readonly (readonly [Server, number])[] = [
    [greetingServer('declared'), declared],
    [greetingServer('undeclared'), undeclared],
    [tlsEcho(), secure],
    [tlsEcho(), sealed],
    [greetingServer('fork'), fork],
    [greetingServer('left'), left],
    [greetingServer('right'), right],
    [greetingServer('http'), http],
    [createHttpServer((request, response) => response.end(`page ${request.url}`)), page],
  ]
  for (const [server, port] of listening) {
    servers.push(await listenOn(port, server))
  }
  const documents = [
    'apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata: { name: client, namespace: shop }\nspec: { serviceAccount: client }\n',
    'apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata: { name: stranger, namespace: other }\nspec: { serviceAccount: stranger }\n',
    workload('declared', declared, 'tcp'),
    workload('undeclared', undeclared),
    workload('secure', secure, 'tls'),
    workload('sealed', sealed),
    workload('page', page),
    workload('left', left, 'tcp'),
    workload('right', right, 'tcp'),
    workload('web', http, 'http'),
    workload('fork', fork, 'tls'),
    `
apiVersion: gateway.networking.k8s.io/v1alpha3
kind: TLSRoute
metadata: { name: fork, namespace: shop }
spec:
  parentRefs: [{ group: '', kind: Service, name: fork, port: 7000 }]
  hostnames: [secure.example]
  rules: [{ backendRefs: [{ name: secure, port: 7000 }] }]
`,
    `
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: { name: split, namespace: shop }
spec:
  parentRefs: [{ group: '', kind: Service, name: left, port: 7000 }]
  rules:
    - backendRefs: [{ name: left, port: 7000, weight: 1 }, { name: right, port: 7000, weight: 1 }]
`,
  ]
  mesh = await startMesh({ files: [await meshFile(documents.join('---\n'))] })
})

after(async () => {
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
  for (const server of servers) server.close()
})

function portOf(service: string): number {
  const found = mesh.workload('client', 'shop').services.find(({ name }) => name === service)
  return Number(found?.address.split(':')[1])
}

async function connected(authority: string, from: readonly [string, string] = ['client', 'shop']) {
  const client = await rawClient(Number(new URL(mesh.workload(...from).outboundProxy).port))
  client.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  return client
}

/** Milliseconds until the greeting is here; nothing was sent. */
async function greetedWithin(client: Awaited<ReturnType<typeof rawClient>>, name: string): Promise<number> {
  const startMs = performance.now()
  await client.waitFor(`220 ${name}\r\n`)
  const tookMs = performance.now() - startMs
  client.write('EHLO\r\n')
  await client.waitFor('EHLO\r\n')
  client.socket.end()
  await client.closed()
  return tookMs
}

const promptMs = 1_000

for (const service of ['declared', 'undeclared']) {
  describe(`a server that speaks first, ${service}`, () => {
    it('is heard by the loopback listener at once', async () => {
      for (const _ of [1, 2, 3]) {
        const tookMs = await greetedWithin(await rawClient(portOf(service)), service)
        assert.ok(tookMs < promptMs, `${tookMs} ms`)
      }
    })
    it('is heard through CONNECT at once, by its short name and its whole one', async () => {
      for (const authority of [`${service}:7000`, `${service}.shop.svc.cluster.local:7000`]) {
        const client = await connected(authority)
        const tookMs = await greetedWithin(client, service)
        assert.ok(tookMs < promptMs, `${tookMs} ms`)
      }
    })
    it('is heard through CONNECT in a stream of HTTP/2', async () => {
      const session = connectHttp2(mesh.workload('client', 'shop').outboundProxy)
      const streams = [1, 2].map(() => session.request({ ':method': 'CONNECT', ':authority': `${service}:7000` }))
      const heard = streams.map(async (stream) => {
        let text = ''
        stream.on('data', (bytes: Buffer) => (text += String(bytes)))
        await until('the greeting is here', () => text === `220 ${service}\r\n`, promptMs)
        stream.end('EHLO\r\n')
        await until('the echo is here', () => text.endsWith('EHLO\r\n'))
        await until('the stream is over', () => stream.closed)
      })
      await Promise.all(heard)
      session.close()
    })
    it('is heard by a workload of another namespace, which has no listener for it', async () => {
      const tookMs = await greetedWithin(await connected(`${service}.shop:7000`, ['stranger', 'other']), service)
      assert.ok(tookMs < promptMs, `${tookMs} ms`)
    })
  })
}

describe('a service of which nothing is declared', () => {
  it('speaks HTTP through its listener, and inside CONNECT', async () => {
    const request = 'GET /1 HTTP/1.1\r\nHost: page\r\nConnection: close\r\n\r\n'
    const direct = await rawClient(portOf('page'))
    direct.write(request)
    assert.match(await direct.closed(), /^HTTP\/1.1 200 [^]*page \/1$/)
    for (const from of [['client', 'shop'] as const, ['stranger', 'other'] as const]) {
      const inside = await connected('page.shop:7000', from)
      await inside.waitFor('\r\n\r\n')
      inside.write(request)
      assert.match(await inside.closed(), /HTTP\/1.1 200 OK\r\n\r\nHTTP\/1.1 200 [^]*page \/1$/)
    }
  })
})

/** TLS, hello, and what comes back. */
function speak(socket: Socket, servername = 'secure.example'): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { socket, servername, ca: certificate.certificateChainPem }
    const secured = connectTls(options, () => secured.write('hello'))
    secured.once('data', (bytes: Buffer) => {
      secured.destroy()
      resolve(String(bytes))
    })
    secured.once('error', reject)
  })
}

for (const service of ['secure', 'sealed']) {
  const how = service === 'secure' ? 'declared' : 'undeclared'
  describe(`TLS of the applications' own, ${how}`, () => {
    it('passes through the loopback listener', async () => {
      const { socket } = await rawClient(portOf(service))
      socket.removeAllListeners('data')
      assert.equal(await speak(socket), 'hello')
    })
    it('passes through CONNECT', async () => {
      const client = await connected(`${service}:7000`)
      await client.waitFor('\r\n\r\n')
      client.socket.removeAllListeners('data')
      assert.equal(await speak(client.socket), 'hello')
    })
  })
}

describe('TLSRoute of a Service', () => {
  it('leads by SNI, through the listener and through CONNECT', async () => {
    const open = {
      listener: async () => rawClient(portOf('fork')),
      connect: async () => {
        const client = await connected('fork:7000')
        await client.waitFor('\r\n\r\n')
        return client
      },
    }
    for (const dial of Object.values(open)) {
      const known = await dial()
      known.socket.removeAllListeners('data')
      assert.equal(await speak(known.socket), 'hello')
      // what the route does not speak of
      const unknown = await dial()
      unknown.socket.removeAllListeners('data')
      await assert.rejects(speak(unknown.socket, 'other.example'))
    }
  })
})

describe('TCPRoute of a Service', () => {
  it('splits connections by weight, through the listener and through CONNECT', async () => {
    const open = { listener: () => rawClient(portOf('left')), connect: () => connected('left:7000') }
    for (const [way, dial] of Object.entries(open)) {
      const seen = { left: 0, right: 0 }
      for (let i = 0; i < 30; i++) {
        const client = await dial()
        // of "left" and of "right"
        const greeting = await client.waitFor('t\r\n')
        seen[greeting.includes('220 left') ? 'left' : 'right']++
        client.socket.destroy()
      }
      assert.ok(seen.left > 3 && seen.right > 3, `${way}: ${JSON.stringify(seen)}`)
    }
  })
})

describe('a service that is declared to speak HTTP', () => {
  it('takes nothing else inside CONNECT', async () => {
    const client = await connected('web:7000')
    await client.waitFor('\r\n\r\n')
    client.write(Buffer.from('1603010005010000000000', 'hex'))
    await client.closed()
  })
})
