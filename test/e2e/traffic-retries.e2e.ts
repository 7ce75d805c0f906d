// Retries and timeouts that a TrafficPolicy gives all callers of a destination, in a running mesh; routes with their own go by these.
import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { after, before, beforeEach, it } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const asked: { readonly path: string; readonly headers: IncomingHttpHeaders }[] = []
let mesh: RunningMesh
let server: Server

before(async () => {
  const [port] = (await freePorts(1)) as [number]
  server = createServer((request, response) => {
    const { url: path = '/', headers } = request
    request.resume()
    asked.push({ path, headers })
    if (path.endsWith('/hang')) return
    const first = headers['x-envoy-attempt-count'] === undefined
    response.writeHead(first ? 500 : 200).end(first ? 'first' : 'again')
  })
  await listenOn(port, server)
  mesh = await startMesh({
    files: [
      await meshFile(`
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: app, labels: { app: app } }
spec: { ports: [{ name: http, port: ${port} }] }
---
apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: app }
spec:
  targetRefs: [{ kind: Service, name: app }]
  retries: { codes: [500], attempts: 1 }
  timeouts: { request: 600ms }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: app }
spec:
  parentRefs: [{ group: '', kind: Service, name: app, port: 80 }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /own } }]
      retry: { codes: [503] }
      timeouts: { request: 200ms }
      backendRefs: [{ name: app, port: 80 }]
    - backendRefs: [{ name: app, port: 80 }]
`),
    ],
  })
})
beforeEach(() => {
  asked.length = 0
})
after(async () => {
  await mesh?.stop()
  server?.closeAllConnections()
  server?.close()
})

function call(path: string): Promise<WireResponse> {
  const address = new URL(mesh.workload('client').outboundProxy).host
  return send({ address, target: `http://app${path}`, method: 'POST', headers: { host: 'app' }, body: 'x' })
}

it('repeats what the policy lists, and tells the application which attempt it is', async () => {
  const { status, body } = await call('/')
  assert.deepEqual([status, body], [200, 'again'])
  assert.deepEqual(
    asked.map(({ headers }) => headers['x-envoy-attempt-count']),
    [undefined, '2'],
  )
})

it('gives up when the policy says, and the application was told', async () => {
  const startMs = performance.now()
  assert.equal((await call('/hang')).status, 504)
  assert.ok(performance.now() - startMs < 5_000)
  const told = Number(asked[0]?.headers['x-envoy-expected-rq-timeout-ms'])
  assert.ok(told > 200 && told <= 600, String(told))
})

it('leaves routes that say otherwise alone', async () => {
  const { status, body } = await call('/own')
  assert.deepEqual([status, body], [500, 'first'])
  assert.equal((await call('/own/hang')).status, 504)
  const told = Number(asked[1]?.headers['x-envoy-expected-rq-timeout-ms'])
  assert.ok(told > 0 && told <= 200, String(told))
})
