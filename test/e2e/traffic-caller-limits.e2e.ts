// One caller that holds on to many requests: the sidecar of the application lets it have so many at once, and others have theirs.
import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, it } from 'node:test'

import { send, type WireResponse } from '../kit/http-client.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'
import { until } from '../kit/until.ts'

const held: ServerResponse[] = []
const server = createServer((request, response) => {
  if (request.url === '/hold') held.push(response)
  else response.end('served')
})
let mesh: RunningMesh

const documents = (port: number): string => `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: greedy }
spec: { serviceAccount: greedy }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: modest }
spec: { serviceAccount: modest }
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
  circuitBreaker: { perCaller: { maxRequests: 3 } }
  hedging: { mode: Off }
`

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  mesh = await startMesh({ files: [await meshFile(documents((server.address() as AddressInfo).port))] })
})

after(async () => {
  for (const response of held) response.end()
  await mesh?.stop()
  server.close().closeAllConnections()
})

const call = (caller: string, path = '/'): Promise<WireResponse> =>
  send({
    address: new URL(mesh.workload(caller).outboundProxy).host,
    target: `http://app${path}`,
    headers: { host: 'app' },
  })

it('refuses what is beyond, for that caller only, and until it has let go', async () => {
  await eventually(async () => assert.equal((await call('greedy')).status, 200), 10_000)
  const holding = [1, 2, 3].map(() => call('greedy', '/hold'))
  await until('three are held', () => held.length === 3)
  const refused = await call('greedy')
  assert.equal(refused.status, 503)
  assert.match(refused.body, /sa\/greedy has as many requests under way as one caller may have/)
  assert.equal(refused.headers['x-heddle-unprocessed'], undefined)
  assert.equal((await call('modest')).status, 200)
  const metrics = await (await fetch(mesh.workload('app').metricsUrl)).text()
  assert.match(metrics, /heddle_upstream_overflows_total\{[^}]*limit="max_requests_per_caller"[^}]*\} [1-9]/)
  held[0]?.end('at last')
  assert.equal((await Promise.race(holding)).status, 200)
  await eventually(async () => assert.equal((await call('greedy')).status, 200), 5_000)
})
