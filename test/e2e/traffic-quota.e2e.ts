// A limit that the proxies of a destination enforce together: the control plane deals out shares by what is asked of each.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { after, before, it } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const perSecond = 60

let mesh: RunningMesh
let file = ''
const applications: Server[] = []
const served = { first: 0, second: 0 }

function workload(name: string, port?: number): string {
  const ports = port === undefined ? '' : `, ports: [{ name: http, port: ${port} }]`
  return `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: served, name: ${name} } }
spec: { serviceAccount: ${name}, address: 127.0.0.1${ports} }
---`
}

function service(name: string, selector: string): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { ${selector} }, ports: [{ name: http, port: 80, targetPort: http }] }
---`
}

before(async () => {
  const [first = 0, second = 0] = await freePorts(2)
  for (const [name, port] of [
    ['first', first],
    ['second', second],
  ] as const)
    applications.push(
      await listenOn(
        port,
        createServer((_, response) => {
          served[name]++
          response.end('served')
        }),
      ),
    )
  file = await meshFile(
    [
      workload('first', first),
      workload('second', second),
      `
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: caller }
spec: { serviceAccount: caller }
---`,
      service('both', 'app: served'),
      service('first', 'name: first'),
      service('second', 'name: second'),
      `
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: both }
spec:
  targetRefs: [{ kind: Service, name: both }]
  rateLimit:
    local:
      - { name: all, shared: true, tokenBucket: { maxTokens: 6, tokensPerFill: ${perSecond}, fillInterval: 1s } }
`,
    ].join(''),
  )
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh.stop()
  for (const application of applications) application.close()
  await rm(dirname(file), { recursive: true, force: true })
})

const settleMs = 3_000
const measureMs = 5_000

/** Requests a second that were served, once the shares have settled, with four times as many asked for. */
async function servedPerSecond(name: string): Promise<number> {
  const address = mesh.workload('caller').services.find((one) => one.name === name)?.address ?? 'missing.invalid'
  const startMs = performance.now()
  let fromMs = 0
  let soFar = 0
  const open = new Set<Promise<unknown>>()
  for (let sent = 0; ; sent++) {
    const nowMs = performance.now()
    if (fromMs === 0 && nowMs - startMs >= settleMs) {
      fromMs = nowMs
      soFar = served.first + served.second
    }
    if (fromMs !== 0 && nowMs - fromMs >= measureMs) {
      const rate = ((served.first + served.second - soFar) * 1_000) / (nowMs - fromMs)
      await Promise.all(open)
      return rate
    }
    const dueMs = startMs + (sent * 1_000) / (4 * perSecond)
    if (dueMs > nowMs) await new Promise((resolve) => setTimeout(resolve, dueMs - nowMs))
    const one = send({ address, target: '/' }).finally(() => open.delete(one))
    open.add(one)
  }
}

it('lets pass what the limit allows, wherever it is asked', async () => {
  for (const name of ['both', 'first', 'second']) {
    const rate = await servedPerSecond(name)
    assert.ok(Math.abs(rate / perSecond - 1) <= 0.05, `${name}: ${rate} a second`)
  }
})
