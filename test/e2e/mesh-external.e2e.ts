// Out of a running mesh: TLS originated by name and roots, HTTP/2 where the server takes it, names looked up, and what is not in the registry.
import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { Server } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { connect as connectTls } from 'node:tls'

import { freePorts } from '../kit/free-ports.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { send, sendThroughProxy } from '../kit/http-client.ts'
import { rawClient } from '../kit/raw-client.ts'
import { meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { webCertificate } from '../kit/web-certificates.ts'

const certificate = webCertificate('api.example')
const stranger = webCertificate('api.example')
const servers: Server[] = []
const names = ['https', 'h2', 'plain', 'banner', 'unlisted', 'gateway'] as const
let ports: Readonly<Record<(typeof names)[number], number>>
let mesh: RunningMesh

const pem = (text: string): string => text.trimEnd().replaceAll('\n', '\n    ')

function roots(name: string, { certificateChainPem }: typeof certificate, kind = 'ConfigMap'): string {
  const data = kind === 'ConfigMap' ? 'data' : 'stringData'
  return `
apiVersion: v1
kind: ${kind}
metadata: { name: ${name} }
${data}:
  ca.crt: |
    ${pem(certificateChainPem)}
`
}

/** `port` is where callers go, `at` where the server is. */
function external(name: string, port: number, at: number, more = '', protocol = 'http', address = '127.0.0.1'): string {
  const resolution = address === '127.0.0.1' ? 'static' : 'dns'
  return `
apiVersion: heddle.dev/v1alpha1
kind: ExternalService
metadata: { name: ${name} }
spec:
  hosts: [${name}.example]
  ports: [{ name: main, port: ${port}, targetPort: ${at}, protocol: ${protocol} }]
  resolution: ${resolution}
  endpoints: [{ address: ${address} }]
  ${more}
`
}

function tls(caCertificate: string, sni = 'api.example'): string {
  return `tls: { sni: ${sni}, caCertificateRef: { ${caCertificate} } }`
}

function documents(): string {
  const { https, h2, plain, banner, gateway } = ports
  return [
    'apiVersion: heddle.dev/v1alpha1\nkind: MeshConfig\nmetadata: { name: mesh }\nspec: { outboundTrafficPolicy: { mode: registryOnly } }\n',
    'apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata: { name: client }\nspec: { serviceAccount: client }\n',
    roots('own', certificate),
    roots('own-secret', certificate, 'Secret'),
    roots('strange', stranger),
    external('api', 80, https, tls('name: own')),
    external('by-secret', 80, https, tls('kind: Secret, name: own-secret')),
    external('misnamed', 80, https, tls('name: own', 'other.example')),
    external('untrusted', 80, https, tls('name: strange')),
    external('without-roots', 80, https, tls('name: nothing')),
    external('modern', 80, h2, tls('name: own'), 'http2'),
    external('old', 80, https, tls('name: own'), 'http2'),
    external('looked-up', 80, plain, '', 'http', 'localhost'),
    external('nowhere', 80, plain, '', 'http', 'nowhere.invalid'),
    external('mail', 25, banner, '', 'tcp'),
    external('sealed', 443, https, '', 'tls'),
    `
apiVersion: v1
kind: Service
metadata: { name: legacy }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: legacy-1, labels: { kubernetes.io/service-name: legacy } }
addressType: IPv4
ports: [{ name: http, port: ${https} }]
endpoints: [{ addresses: [127.0.0.1] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: legacy }
spec:
  targetRefs: [{ group: '', kind: Service, name: legacy }]
  validation: { hostname: api.example, caCertificateRefs: [{ group: '', kind: ConfigMap, name: own }] }
`,
    `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: heddle
  listeners: [{ name: http, port: ${gateway}, protocol: HTTP }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: edge }
spec:
  parentRefs: [{ name: edge }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /legacy } }]
      backendRefs: [{ name: legacy, port: 80 }]
    - matches: [{ path: { type: PathPrefix, value: /modern } }]
      backendRefs: [{ group: heddle.dev, kind: ExternalService, name: modern, port: 80 }]
    - backendRefs: [{ group: heddle.dev, kind: ExternalService, name: misnamed, port: 80 }]
`,
  ].join('---\n')
}

before(async () => {
  const free = await freePorts(names.length)
  ports = Object.fromEntries(names.map((name, index) => [name, free[index]])) as typeof ports
  const credentials = { cert: certificate.certificateChainPem, key: certificate.privateKeyPem }
  const listening: readonly (readonly [Server, number])[] = [
    [createHttpsServer(credentials, (request, response) => response.end(`https ${request.httpVersion}`)), ports.https],
    [createSecureServer(credentials, (request, response) => response.end(`https ${request.httpVersion}`)), ports.h2],
    [createHttpServer((request, response) => response.end(`plain ${request.headers.host}`)), ports.plain],
    [createHttpServer((_, response) => response.end('not to be reached')), ports.unlisted],
    [greetingServer('mail'), ports.banner],
  ]
  for (const [server, port] of listening) {
    servers.push(await listenOn(port, server))
  }
  mesh = await startMesh({ files: [await meshFile(documents())] })
})

after(async () => {
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
  for (const server of servers) server.close()
})

const get = (url: string) => sendThroughProxy(mesh.workload('client').outboundProxy, url)

async function connected(authority: string) {
  const client = await rawClient(Number(new URL(mesh.workload('client').outboundProxy).port))
  client.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  return client
}

async function metrics(): Promise<string> {
  const { host, pathname } = new URL(mesh.workload('client').metricsUrl)
  return (await send({ address: host, target: pathname })).body
}

describe('TLS towards a server outside the mesh', () => {
  it('is opened for requests in the clear, with roots of a ConfigMap or of a Secret', async () => {
    for (const host of ['api.example', 'by-secret.example']) {
      const { status, body } = await get(`http://${host}/`)
      assert.deepEqual([host, status, body], [host, 200, 'https 1.1'])
    }
  })

  it('is refused for a server of another name, and says so', async () => {
    const { status, body } = await get('http://misnamed.example/')
    assert.equal(status, 503)
    assert.match(body, /its certificate is for DNS:api\.example, not for other\.example/)
  })

  it('is refused for a server that the roots do not vouch for, and says so', async () => {
    const { status, body } = await get('http://untrusted.example/')
    assert.equal(status, 503)
    assert.match(body, /certificate/)
  })

  it('is not replaced by anything while the roots are missing', async () => {
    const { status, body } = await get('http://without-roots.example/')
    assert.equal(status, 503)
    assert.match(body, /roots/)
  })

  it('carries HTTP/2 where it is declared and the server takes it, else HTTP/1.1', async () => {
    assert.equal((await get('http://modern.example/')).body, 'https 2.0')
    assert.equal((await get('http://old.example/')).body, 'https 1.1')
  })

  it('is what a BackendTLSPolicy says of a Service', async () => {
    const { status, body } = await get('http://legacy/')
    assert.deepEqual([status, body], [200, 'https 1.1'])
  })
})

describe('a gateway', () => {
  it('opens TLS to servers outside the mesh as sidecars do', async () => {
    const address = `127.0.0.1:${ports.gateway}`
    assert.equal((await send({ address, target: '/legacy' })).body, 'https 1.1')
    assert.equal((await send({ address, target: '/modern' })).body, 'https 2.0')
    const { status, body } = await send({ address, target: '/' })
    assert.equal(status, 503)
    assert.match(body, /not for other\.example/)
  })
})

describe('names outside the mesh', () => {
  it('are looked up', async () => {
    const { status, body } = await get('http://looked-up.example/')
    assert.deepEqual([status, body], [200, 'plain looked-up.example'])
  })

  it('are named when they do not exist', async () => {
    const { status, body } = await get('http://nowhere.example/')
    assert.equal(status, 503)
    assert.match(body, /nowhere\.invalid/)
  })
})

describe('bytes to an ExternalService', () => {
  it('go by CONNECT, a server that speaks first included', async () => {
    const client = await connected('mail.example:25')
    await client.waitFor('220 mail\r\n')
    client.socket.destroy()
  })

  it("are the application's own TLS where it is declared", async () => {
    const client = await connected('sealed.example:443')
    await client.waitFor('\r\n\r\n')
    client.socket.removeAllListeners('data')
    const shown = await new Promise((resolve, reject) => {
      const options = { socket: client.socket, servername: 'api.example', ca: certificate.certificateChainPem }
      const socket = connectTls(options, () => resolve(socket.getPeerX509Certificate()?.subjectAltName))
      socket.once('error', reject)
    })
    assert.equal(shown, 'DNS:api.example')
    client.socket.destroy()
  })
})

describe('what the registry does not have', () => {
  it('is refused with a reason, and counted', async () => {
    const authority = `127.0.0.1:${ports.unlisted}`
    const { status, body } = await get(`http://${authority}/`)
    assert.equal(status, 502)
    assert.match(body, /no service of the mesh: add a Service or an ExternalService/)
    const client = await connected(authority)
    assert.match(await client.waitFor('\r\n\r\n'), /^HTTP\/1.1 502 /)
    client.socket.destroy()
    const counted = (await metrics())
      .split('\n')
      .filter((line) => /^heddle_requests_total\{.*code="502".*flags="NR"/.test(line))
    assert.deepEqual(
      counted.map((line) => [/method="(\w+)"/.exec(line)?.[1], line.split(' ').at(-1)]),
      [
        ['GET', '1'],
        ['CONNECT', '1'],
      ],
    )
  })
})
