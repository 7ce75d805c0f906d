// Endpoints that are about to end, in a running mesh: they keep their sessions and open responses, and get nothing else.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { after, before, it } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { send } from '../kit/http-client.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const addresses = ['127.0.0.2', '127.0.0.3'] as const
const held: ServerResponse[] = []
const servers: Server[] = []
let mesh: RunningMesh
let file = ''
let port = 0

const ending = 'conditions: { ready: false, serving: true, terminating: true }'

function documents(draining: readonly string[]): string {
  const endpoints = addresses.map(
    (address) => `{ addresses: [${address}]${draining.includes(address) ? `, ${ending}` : ''} }`,
  )
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
---
apiVersion: v1
kind: Service
metadata: { name: app }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: app-1, labels: { kubernetes.io/service-name: app } }
addressType: IPv4
ports: [{ name: http, port: ${port} }]
endpoints: [${endpoints.join(', ')}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: app }
spec:
  parentRefs: [{ group: '', kind: Service, name: app, port: 80 }]
  rules:
    - sessionPersistence: { type: Header, sessionName: x-place }
      backendRefs: [{ name: app, port: 80 }]
`
}

before(async () => {
  port = (await freePorts(1))[0] as number
  for (const address of addresses) {
    const server = createServer((request, response) => {
      if (request.url === '/hold') {
        response.write(address)
        held.push(response)
      } else response.end(address)
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(port, address, resolve))
  }
  file = await meshFile(documents([]))
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  for (const response of held) response.end()
  await mesh?.stop()
  for (const server of servers) server.close()
})

const target = (path = '/'): { address: string; target: string; headers: Record<string, string> } => ({
  address: new URL(mesh.workload('client').outboundProxy).host,
  target: `http://app${path}`,
  headers: { host: 'app' },
})

async function answering(): Promise<string[]> {
  const names = new Set<string>()
  for (let i = 0; i < 20; i++) names.add((await send(target())).body)
  return [...names].toSorted()
}

async function session(place: string): Promise<string> {
  const { headers, ...rest } = target()
  return (await send({ ...rest, headers: { ...headers, 'x-place': place } })).body
}

it('goes on with sessions and open responses, while new requests go elsewhere', async () => {
  const first = await send(target())
  const place = String(first.headers['x-place'])
  const bound = first.body
  const other = addresses.find((address) => address !== bound) as string
  const { address, headers } = target()
  const { hostname, port: at } = new URL(`http://${address}`)
  const opened = await new Promise<IncomingMessage>((resolve, reject) => {
    const path = target('/hold').target
    get({ hostname, port: at, path, headers: { ...headers, 'x-place': place } }, resolve).on('error', reject)
  })
  let body = ''
  opened.on('data', (bytes: Buffer) => (body += bytes.toString()))

  await writeFile(file, documents([bound]))
  await eventually(async () => assert.deepEqual(await answering(), [other]), 10_000)
  assert.equal(await session(place), bound)
  held.at(-1)?.end(' to the end')
  await eventually(() => assert.equal(body, `${bound} to the end`), 5_000)

  await writeFile(file, documents(addresses))
  await eventually(async () => assert.deepEqual(await answering(), [...addresses]), 10_000)
})
