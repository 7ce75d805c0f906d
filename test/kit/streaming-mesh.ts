// A mesh whose server keeps connections open, and the processes that carry it.
import assert from 'node:assert/strict'

import { processTree } from './process-tree.ts'
import { meshFile, type RunningMesh } from './running-mesh.ts'

const app = new URL('./streaming-server.ts', import.meta.url).pathname

/** Workloads `client` and `server`, and a service `server`. */
export function streamingMesh(): Promise<string> {
  const base = 20_000 + Math.floor(Math.random() * 8_000)
  const workloads = ['client', 'server'].map(
    (name, i) => `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  serviceAccount: ${name}
  ports: [{name: http, port: ${base + i}}]
  command: [node, ${app}]
  env: {PORT: '${base + i}'}
`,
  )
  const service = `
apiVersion: v1
kind: Service
metadata: {name: server}
spec:
  selector: {app: server}
  ports: [{name: http, port: 80, targetPort: http}]
`
  return meshFile([...workloads, service].join('---'))
}

/** "127.0.0.1:20005": where the client's sidecar takes requests for the server. */
export function serverAddress(mesh: RunningMesh): string {
  return mesh.workload('client').services.find(({ name }) => name === 'server')?.address ?? ''
}

/** All proxy processes, the older first: parents, and workers where there are several. */
export async function proxies(mesh: RunningMesh): Promise<number[]> {
  return (await processTree(mesh.pid)).filter(({ command }) => command.includes('proxy')).map(({ pid }) => pid)
}

/** Of the only one. */
export async function proxyPid(mesh: RunningMesh): Promise<number> {
  const pids = await proxies(mesh)
  assert.equal(pids.length, 1)
  return pids[0] as number
}

export async function newestProxy(mesh: RunningMesh): Promise<number> {
  return Math.max(...(await proxies(mesh)))
}
