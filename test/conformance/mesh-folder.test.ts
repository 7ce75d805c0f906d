// The base manifests as this host can run them.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'

import { writeMeshFolder } from './mesh-folder.ts'

const manifests = `
kind: Namespace
apiVersion: v1
metadata: { name: mesh }
---
kind: Deployment
apiVersion: apps/v1
metadata: { name: echo-v1, namespace: mesh }
spec:
  template:
    metadata: { labels: { app: echo, version: v1 } }
    spec: { containers: [{ args: [--grpc=9090], ports: [{ containerPort: 8080 }, { containerPort: 9090 }] }] }
---
kind: Service
apiVersion: v1
metadata: { name: echo, namespace: mesh }
spec:
  selector: { app: echo }
  ports: [{ name: http, port: 80, targetPort: 8080 }, { name: tcp, port: 9090 }]
`

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-folder-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('makes a Workload of each Deployment and lets Services target its ports by name', async () => {
  const pods = await writeMeshFolder(manifests, folder)
  const text = readFileSync(join(folder, 'base.yaml'), 'utf8')
  const [namespace, workload, service] = parseAllDocuments(text).map((one) => one.toJS() as Record<string, unknown>)

  expect(namespace).toMatchObject({ kind: 'Namespace', metadata: { name: 'mesh' } })
  const address = pods.get('echo-v1.mesh:8080')
  expect(address).toMatch(/^127\.0\.0\.1:\d+$/)
  const port = (containerPort: number): string => (pods.get(`echo-v1.mesh:${containerPort}`) ?? '').split(':')[1] ?? ''
  expect(workload).toMatchObject({
    kind: 'Workload',
    metadata: { name: 'echo-v1', namespace: 'mesh', labels: { app: 'echo', version: 'v1' } },
    spec: {
      ports: [{ name: 'port-8080', port: Number(address?.split(':')[1]) }, { name: 'port-9090' }],
      env: {
        POD_NAME: 'echo-v1',
        POD_NAMESPACE: 'mesh',
        ECHO_PORTS: port(8080),
        ECHO_GRPC_PORTS: port(9090),
      },
    },
  })
  expect(service).toMatchObject({
    spec: {
      ports: [
        { port: 80, targetPort: 'port-8080' },
        { port: 9090, targetPort: 'port-9090' },
      ],
    },
  })
})
