// Subsets by labels in a running mesh: a header chooses the version, and what becomes of a choice that nobody has.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, it } from 'node:test'

import { send, type WireResponse } from '../kit/http-client.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const names = ['v1-a', 'v1-b', 'v2-a'] as const
const servers: Server[] = []
const ports: number[] = []
let mesh: RunningMesh
let file = ''

function documents(subsets: string, route = ''): string {
  const workloads = names.map(
    (name, i) => `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: app-${name}, labels: { app: app, version: ${name.slice(0, 2)} } }
spec: { ports: [{ name: http, port: ${ports[i]} }] }
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
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: app }
spec:
  targetRefs: [{ kind: Service, name: app }]
  loadBalancing: { subsets: { keys: [{ label: version, header: x-version }], ${subsets} } }
${route}`
}

before(async () => {
  for (const name of names) {
    const server = createServer((_request, response) => response.end(name))
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ports.push((server.address() as AddressInfo).port)
  }
  file = await meshFile(documents('default: { version: v1 }'))
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh?.stop()
  for (const server of servers) server.close().closeAllConnections()
})

function call(version?: string): Promise<WireResponse> {
  const address = new URL(mesh.workload('client').outboundProxy).host
  const chosen: Record<string, string> = version === undefined ? {} : { 'x-version': version }
  return send({ address, target: 'http://app/', headers: { host: 'app', ...chosen } })
}

async function answering(version?: string): Promise<string[]> {
  const found = new Set<string>()
  for (let i = 0; i < 20; i++) {
    const { status, body } = await call(version)
    found.add(status === 200 ? body : String(status))
  }
  return [...found].toSorted()
}

const eventuallyAnswering = (version: string | undefined, expected: readonly string[]): Promise<void> =>
  eventually(async () => assert.deepEqual(await answering(version), expected), 15_000)

it('serves a request by the version that it asks for, and others by the default', async () => {
  await eventuallyAnswering('v2', ['v2-a'])
  await eventuallyAnswering('v1', ['v1-a', 'v1-b'])
  await eventuallyAnswering(undefined, ['v1-a', 'v1-b'])
  await eventuallyAnswering('v3', ['v1-a', 'v1-b'])
})

it('answers with 503 what nobody has, where it is told to, and says so', async () => {
  await writeFile(file, documents('fallback: None'))
  await eventuallyAnswering('v3', ['503'])
  await eventuallyAnswering(undefined, names)
  assert.match((await call('v3')).body, /no endpoint behind app\.default/)
})

it('chooses among the endpoints of each backend of a route', async () => {
  const route = `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: app }
spec:
  parentRefs: [{ group: '', kind: Service, name: app, port: 80 }]
  rules: [{ backendRefs: [{ name: app, port: 80 }] }]
`
  await writeFile(file, documents('fallback: None', route))
  await eventuallyAnswering('v2', ['v2-a'])
  await eventuallyAnswering('v3', ['503'])
})
