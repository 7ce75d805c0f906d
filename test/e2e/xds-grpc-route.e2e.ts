// GRPCRoutes as an independent data plane reads them: documents → snapshot → resources → grpc-js-xds, whose calls go where the rules say.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { Client, credentials, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { sendUnaryData, ServerUnaryCall, ServiceError } from '@grpc/grpc-js'

import { analyzeFiles } from '../../src/control/configuration.ts'
import { createResourceView } from '../../src/control/translate/mesh-resource-view.ts'
import type { ResourceView } from '../../src/control/translate/resource-view.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { sequentialPorts } from '../kit/mesh-builder.ts'
import { asIs, rawUnary } from '../kit/raw-unary.ts'
import { startXdsServer } from '../kit/xds-pair.ts'

function backend(name: string, port: number): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ name: grpc, port: 7070 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
endpoints: [{ addresses: [127.0.0.1] }]
ports: [{ name: grpc, port: ${port} }]
---`
}

const routes = `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: cart }
spec:
  parentRefs: [{ group: '', kind: Service, name: cart }]
  rules:
    - matches: [{ method: { service: shop.Cart } }]
      backendRefs: [{ name: by-service, port: 7070 }]
    - matches: [{ method: { service: shop.Cart, method: Add } }]
      backendRefs: [{ name: by-method, port: 7070 }]
    - matches: [{ method: { service: shop.Cart, method: Add }, headers: [{ name: x-tenant, value: a }] }]
      backendRefs: [{ name: by-header, port: 7070 }]
    - matches: [{ method: { type: RegularExpression, service: 'shop\\.[A-Z]+', method: 'Get|List' } }]
      backendRefs: [{ name: by-expression, port: 7070 }]
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: by-service }
spec:
  targetRefs: [{ kind: Service, name: by-service }]
  retries: { conditions: [unavailable], attempts: 2, backoff: 10ms }
  timeouts: { request: 1s }
`

const backends = ['by-service', 'by-method', 'by-header', 'by-expression'] as const
const paths = [
  '/shop.Cart/Add',
  '/shop.Cart/Drop',
  '/shop.CART/Get',
  '/shop.CART/Put',
  '/shop.Other/Add',
  '/shop.Cart/Hang',
  '/shop.Cart/Flaky',
]

/** Answers every call with its name, but for those that hang, and for two of three that are flaky. */
async function startBackend(t: TestContext, name: string): Promise<number> {
  const server = new Server()
  let flaky = 0
  const reply = (served: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void => {
    const path = served.getPath()
    if (path.endsWith('/Hang')) return
    if (path.endsWith('/Flaky') && ++flaky % 3 !== 0) done({ code: status.UNAVAILABLE, details: 'not now' })
    else done(null, Buffer.from(name))
  }
  server.addService(
    Object.fromEntries(paths.map((path) => [path, rawUnary(path)])),
    Object.fromEntries(paths.map((path) => [path, reply])),
  )
  t.after(() => server.forceShutdown())
  return await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port)
      else reject(error)
    })
  })
}

function call(client: Client, path: string, headers: Record<string, string> = {}): Promise<string> {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  return new Promise((resolve) => {
    const deadline = Date.now() + 5_000
    const done = (error: ServiceError | null, answer?: Buffer): void =>
      resolve(error === null ? String(answer) : (status[error.code] ?? ''))
    client.makeUnaryRequest(path, asIs, asIs, Buffer.from('hello'), metadata, { deadline }, done)
  })
}

test('a gRPC client that is its own data plane follows a GRPCRoute', async (t) => {
  const ports = await Promise.all(backends.map((name) => startBackend(t, name)))
  const documents = [backend('cart', 1), ...backends.map((name, index) => backend(name, ports[index] ?? 0)), routes]
  const { snapshot, problems } = analyzeFiles([{ path: 'mesh.yaml', text: documents.join('\n'), folder: '/' }])
  assert.deepEqual(problems, [])
  const view: ResourceView = createResourceView(snapshot, sequentialPorts())
  const server = await startXdsServer(new WatchableValue(view))
  t.after(() => server.kill())
  process.env['GRPC_XDS_BOOTSTRAP_CONFIG'] = JSON.stringify({
    xds_servers: [{ server_uri: server.address, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
    node: { id: 'proxyless-client', locality: { region: 'here' } },
  })
  const plugin = await import('@grpc/grpc-js-xds').catch(() => undefined)
  if (plugin === undefined) {
    t.skip('NOT RUN: @grpc/grpc-js-xds is not installed, so no foreign xDS client was tried')
    return
  }
  plugin.register()
  const client = new Client('xds:///cart.default.svc.cluster.local:7070', credentials.createInsecure())
  t.after(() => client.close())

  assert.equal(await call(client, '/shop.Cart/Add'), 'by-method')
  assert.equal(await call(client, '/shop.Cart/Add', { 'x-tenant': 'a' }), 'by-header')
  assert.equal(await call(client, '/shop.Cart/Add', { 'x-tenant': 'b' }), 'by-method')
  assert.equal(await call(client, '/shop.Cart/Drop'), 'by-service')
  assert.equal(await call(client, '/shop.CART/Get'), 'by-expression')
  // by the policy of the Service
  assert.equal(await call(client, '/shop.Cart/Flaky'), 'by-service')
  const startMs = performance.now()
  assert.equal(await call(client, '/shop.Cart/Hang'), 'DEADLINE_EXCEEDED')
  assert.ok(performance.now() - startMs < 4_000, 'within the bound of the policy, not of the caller')
  // no rule speaks of them, and a route takes the place of the Service's own endpoints
  assert.equal(await call(client, '/shop.CART/Put'), 'UNAVAILABLE')
  assert.equal(await call(client, '/shop.Other/Add'), 'UNAVAILABLE')
  assert.deepEqual(
    server.xds.nodes.value[0]?.types.flatMap(({ lastNack }) => lastNack ?? []),
    [],
  )
})
