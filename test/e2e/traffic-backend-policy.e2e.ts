// An XBackendTrafficPolicy in a running mesh: clients stay with their endpoint without any route, and its status says what is in force.
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, it } from 'node:test'

import { send } from '../kit/http-client.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const servers: Server[] = []
let mesh: RunningMesh

function documents(ports: readonly number[]): string {
  const workloads = ports.map(
    (port, i) => `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: app-${i}, labels: { app: app } }
spec: { ports: [{ name: http, port: ${port} }] }
---`,
  )
  return `${workloads.join('')}
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
---
apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: { name: app }
spec:
  targetRefs: [{ group: '', kind: Service, name: app }]
  retryConstraint: { budget: { percent: 10 } }
  sessionPersistence: { sessionName: x-place, type: Header }
`
}

before(async () => {
  const ports: number[] = []
  for (let i = 0; i < 3; i++) {
    const server = createServer((_request, response) => response.end(String(i)))
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ports.push((server.address() as AddressInfo).port)
  }
  mesh = await startMesh({ files: [await meshFile(documents(ports))] })
})

after(async () => {
  await mesh?.stop()
  for (const server of servers) server.close().closeAllConnections()
})

const call = (place?: string) =>
  send({
    address: new URL(mesh.workload('client').outboundProxy).host,
    target: 'http://app/',
    headers: { host: 'app', ...(place === undefined ? {} : { 'x-place': place }) },
  })

it('keeps each client with the endpoint that has answered it first', async () => {
  await eventually(async () => assert.notEqual((await call()).headers['x-place'], undefined), 10_000)
  const places = new Set<string>()
  for (let client = 0; client < 12; client++) {
    const first = await call()
    places.add(first.body)
    for (let i = 0; i < 3; i++) assert.equal((await call(String(first.headers['x-place']))).body, first.body)
  }
  assert.ok(places.size > 1, 'clients without a session are spread')
})

it('is accepted, and says so', async () => {
  const args = ['get', 'xbackendtrafficpolicy', 'app', '-o', 'json', '--state-dir', mesh.stateDir]
  const { stdout } = await runCommand(new URL('../../heddle', import.meta.url).pathname, args)
  const { status } = JSON.parse(stdout) as {
    status: { ancestors: { conditions: { type: string; status: string }[] }[] }
  }
  assert.deepEqual(
    status.ancestors.map(({ conditions }) => conditions.map(({ type, status: value }) => `${type} ${value}`)),
    [['Accepted True']],
  )
})
