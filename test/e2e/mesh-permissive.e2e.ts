// A mesh under PERMISSIVE: callers without a sidecar reach HTTP and servers that speak first, and sidecars lose nothing by it.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import type { Server } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { rawClient } from '../kit/raw-client.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

let mesh: RunningMesh
let file = ''
const servers: Server[] = []

function workload(name: string, port: number, protocol: string): string {
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { serviceAccount: ${name}, address: 127.0.0.1, ports: [{ name: main, port: ${port} }] }
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: main, port: 7000, targetPort: main${protocol} }] }
`
}

before(async () => {
  const [page = 0, undeclared = 0, declared = 0] = await freePorts(3)
  const listening: readonly (readonly [Server, number])[] = [
    [createHttpServer((request, response) => response.end(`page ${request.url}`)), page],
    [greetingServer('ready'), undeclared],
    [greetingServer('ready'), declared],
  ]
  for (const [server, port] of listening) {
    servers.push(await listenOn(port, server))
  }
  const documents = [
    'apiVersion: heddle.dev/v1alpha1\nkind: MeshConfig\nmetadata: { name: mesh }\nspec: { peerAuthentication: { mode: PERMISSIVE } }\n',
    'apiVersion: heddle.dev/v1alpha1\nkind: Workload\nmetadata: { name: client }\nspec: { serviceAccount: client }\n',
    workload('page', page, ''),
    workload('undeclared', undeclared, ''),
    workload('declared', declared, ', appProtocol: tcp'),
  ]
  file = await meshFile(documents.join('---\n'))
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  if (mesh !== undefined) assert.equal(await mesh.stop(), 0)
  for (const server of servers) server.close()
})

const inbound = (name: string): string => mesh.workload(name).inbound[0]?.address ?? ''
const bySidecar = (name: string): string =>
  mesh.workload('client').services.find((service) => service.name === name)?.address ?? ''

async function greetedAfterMs(address: string): Promise<number> {
  const client = await rawClient(Number(address.split(':')[1]))
  const startMs = performance.now()
  await client.waitFor('220 ready\r\n')
  const tookMs = performance.now() - startMs
  client.write('EHLO\r\n')
  await client.waitFor('EHLO\r\n')
  client.socket.end()
  await client.closed()
  return tookMs
}

describe('a port of which nothing is declared', () => {
  it('takes HTTP in plaintext and through a sidecar', async () => {
    for (const address of [inbound('page'), bySidecar('page'), inbound('page')]) {
      const { status, body } = await send({ address, target: '/1', headers: { host: 'page' } })
      assert.deepEqual([status, body], [200, 'page /1'])
    }
  })
})

for (const name of ['undeclared', 'declared']) {
  describe(`a server that speaks first, ${name}`, () => {
    it('greets a caller in plaintext when that may no longer begin TLS, each time', async () => {
      for (const _ of [1, 2]) {
        const tookMs = await greetedAfterMs(inbound(name))
        assert.ok(tookMs < 1_500, `${tookMs} ms`)
      }
    })
    it('greets a caller with a sidecar at once', async () => {
      for (const _ of [1, 2]) {
        const tookMs = await greetedAfterMs(bySidecar(name))
        assert.ok(tookMs < 400, `${tookMs} ms`)
      }
    })
  })
}

describe('with TLS switched off while the mesh runs', () => {
  it('everything goes on, and servers that speak first are heard at once by all', async () => {
    await writeFile(file, (await readFile(file, 'utf8')).replace('mode: PERMISSIVE', 'mode: DISABLE'))
    for (const name of ['undeclared', 'declared']) {
      await eventually(async () => assert.ok((await greetedAfterMs(inbound(name))) < 400), 5_000)
      assert.ok((await greetedAfterMs(bySidecar(name))) < 400)
    }
    for (const address of [inbound('page'), bySidecar('page')]) {
      const { status, body } = await send({ address, target: '/2', headers: { host: 'page' } })
      assert.deepEqual([status, body], [200, 'page /2'])
    }
  })
})
