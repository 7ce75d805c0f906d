// What the control plane knows of traffic agrees exactly with what was sent, and its read API says so in the form that it promises.
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { after, before, describe, it } from 'node:test'

import type { ConfigurationView, EdgeList, EventList, ServiceView, Topology } from '../../src/contracts/read-api.ts'
import {
  configurationAnswer,
  differenceAnswer,
  edgesAnswer,
  endpointsAnswer,
  eventsAnswer,
  requestsAnswer,
  revisionsAnswer,
  securityAnswer,
  seriesAnswer,
  serviceAnswer,
  topologyAnswer,
  trafficAnswer,
  workloadAnswer,
  workloadsAnswer,
} from '../../src/dashboard-api/answers.ts'
import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { send } from '../kit/http-client.ts'
import { processTree } from '../kit/process-tree.ts'
import { eventually, meshFile, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const requests = 2_000
const failEvery = 10
/** A report a second, and what a busy machine adds. */
const reportedWithinMs = 10_000

/** Longer than a sidecar that goes would wait for nothing. */
const slowMs = 2_500
/** Several: one may happen to report just before it goes. */
const leavers = ['leaver-1', 'leaver-2', 'leaver-3', 'leaver-4', 'leaver-5', 'leaver-6']

let mesh: RunningMesh
let file = ''
let application: Server
/** Beside it behind the Service `pair`. */
let bad: Server
let served = 0

function leaver(name: string): string {
  return `---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name} }
spec: { serviceAccount: ${name} }
`
}

before(async () => {
  const [port = 0, badPort = 0] = await freePorts(2)
  bad = await listenOn(
    badPort,
    createServer((_, response) => {
      response.statusCode = 503
      response.end('no')
    }),
  )
  application = await listenOn(
    port,
    createServer(({ url }, response) => {
      if (url === '/slow') {
        setTimeout(() => response.end('served'), slowMs)
        return
      }
      served++
      response.statusCode = served % failEvery === 0 ? 500 : 200
      response.end('served')
    }),
  )
  file = await meshFile(`
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: web, labels: { app: web, behind: pair } }
spec: { serviceAccount: web, address: 127.0.0.1, ports: [{ name: http, port: ${port} }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: bad, labels: { behind: pair } }
spec: { serviceAccount: bad, address: 127.0.0.1, ports: [{ name: http, port: ${badPort} }] }
---
apiVersion: v1
kind: Service
metadata: { name: pair }
spec: { selector: { behind: pair }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: web }
spec:
  targetRefs: [{ kind: Service, name: web }]
  connectTimeout: 2s
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: caller }
spec: { serviceAccount: caller }
${leavers.map(leaver).join('')}`)
  mesh = await startMesh({ files: [file] })
})

after(async () => {
  await mesh.stop()
  application.close()
  bad.close()
  await rm(dirname(file), { recursive: true, force: true })
})

async function ask<T>(path: string): Promise<T> {
  const { adminUrl, adminToken } = mesh.state
  const answer = await fetch(`${adminUrl}/v1/${path}`, { headers: { authorization: `Bearer ${adminToken}` } })
  assert.equal(answer.status, 200, path)
  return (await answer.json()) as T
}

function allEdges(): Promise<EdgeList> {
  return ask<EdgeList>(`edges?fromMs=0&toMs=${Date.now() + 60_000}`)
}

function addressOf(workload: string, service = 'web'): string {
  return mesh.workload(workload).services.find(({ name }) => name === service)?.address ?? 'missing.invalid'
}

async function call(workload: string, count: number): Promise<void> {
  const address = addressOf(workload)
  let left = count
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (left-- > 0) await send({ address, target: '/' })
    }),
  )
}

describe('the traffic that the control plane has observed', () => {
  it('is what was sent, each request once, with its status', async () => {
    served = 0
    await call('caller', requests)
    await eventually(async () => {
      const edges = (await allEdges()).edges.filter(({ source }) => source === 'default/caller')
      const total = edges.reduce((sum, edge) => sum + edge.requests, 0)
      assert.equal(total, requests)
    }, reportedWithinMs)
    const { edges } = await allEdges()
    assert.equal(edges.length, 1, JSON.stringify(edges))
    const [edge] = edges
    assert.equal(edge?.service, 'web.default.svc.cluster.local')
    assert.equal(edge?.workload, 'default/web')
    assert.equal(edge?.mtls, requests)
    assert.equal(edge?.failed, requests / failEvery)
    assert.deepEqual(edge?.codes, { '200': requests - requests / failEvery, '500': requests / failEvery })
    assert.ok((edge?.durationMs?.p99 ?? 0) >= (edge?.durationMs?.p50 ?? Infinity))
  })

  it('has the last requests of sidecars that go', async () => {
    await Promise.all(leavers.map((name) => call(name, 37)))
    // each has one more under way, and goes as soon as that is over
    const last = leavers.map((name) => send({ address: addressOf(name), target: '/slow' }))
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.slice(0, text.indexOf(leaver('leaver-1'))))
    for (const { status } of await Promise.all(last)) assert.equal(status, 200)
    await eventually(async () => {
      const { workloads } = await ask<{ workloads: { name: string }[] }>('workloads')
      assert.ok(workloads.every(({ name }) => !name.startsWith('leaver')))
      const { edges } = await allEdges()
      const counts = leavers.map((name) => edges.find(({ source }) => source === `default/${name}`)?.requests)
      assert.deepEqual(
        counts,
        leavers.map(() => 38),
      )
    }, reportedWithinMs)
  })

  it('counts on where it was when the control plane was away', async () => {
    const known = (await allEdges()).edges.find(({ source }) => source === 'default/caller')?.requests
    assert.equal(known, requests)
    const pid = await controlPlanePid()
    process.kill(pid, 'SIGKILL')
    await call('caller', 50)
    await eventually(async () => {
      await allEdges()
      assert.notEqual(await controlPlanePid(), pid)
    }, 20_000)
    // its predecessor's counts are forgotten; what follows the first report of a proxy is counted, and nothing twice
    await eventually(async () => {
      const { events } = await ask<EventList>('events')
      assert.ok(events.some(({ kind, subject }) => kind === 'certificate' && subject === 'Workload/default/caller'))
    }, 20_000)
    await call('caller', 100)
    await eventually(async () => {
      const now = (await allEdges()).edges.find(({ source }) => source === 'default/caller')?.requests ?? 0
      assert.equal(now, 100)
    }, reportedWithinMs)
  })
})

describe('the read API of a running mesh', () => {
  it('answers in the form that its OpenAPI document promises', async () => {
    const nowMs = Date.now()
    const { revision } = await ask<ConfigurationView>('configuration')
    const answers = {
      topology: topologyAnswer,
      'services/default/web': serviceAnswer,
      'services/default/web/endpoints': endpointsAnswer,
      workloads: workloadsAnswer,
      'workloads/default/web': workloadAnswer,
      'traffic?by=source,service,workload,route&parts=12': trafficAnswer,
      events: eventsAnswer,
      configuration: configurationAnswer,
      revisions: revisionsAnswer,
      [`difference?from=${revision}&to=${revision}`]: differenceAnswer,
      security: securityAnswer,
      requests: requestsAnswer,
      [`edges?fromMs=0&toMs=${nowMs}`]: edgesAnswer,
      [`series?fromMs=${nowMs - 60_000}&toMs=${nowMs}&service=default/web`]: seriesAnswer,
    }
    for (const [path, schema] of Object.entries(answers)) {
      const { error } = schema.safeParse(await ask(path))
      assert.equal(error, undefined, `${path}: ${error?.message}`)
    }
    const { paths } = await ask<{ paths: object }>('openapi.json')
    // but one request, which kept-requests.e2e.ts asks for
    assert.equal(Object.keys(paths).length, Object.keys(answers).length + 1)
  })

  it('says who calls whom, and what is written about a service', async () => {
    const { edges, nodes } = await ask<Topology>('topology')
    const edge = edges.find(({ from }) => from === 'workload/default/caller')
    assert.equal(edge?.to, 'service/default/web')
    assert.equal(edge?.mtls, 'all')
    assert.equal(edge?.health, 'failing')
    assert.equal(nodes.find(({ id }) => id === 'service/default/web')?.health, 'failing')
    const service = await eventually(async () => {
      const found = await ask<ServiceView>('services/default/web')
      // its proxy may have yet to say so to the new control plane
      assert.ok((found.workloads[0]?.certificateNotAfterMs ?? 0) > Date.now())
      return found
    }, reportedWithinMs)
    assert.deepEqual(
      service.policies.map(({ id }) => id),
      ['TrafficPolicy/default/web'],
    )
    assert.equal(service.workloads[0]?.state, 'ready')
  })

  it('says which callers pass over endpoints', async () => {
    await eventually(async () => {
      await send({ address: addressOf('caller', 'pair'), target: '/' })
      const { passedOver } = await ask<ServiceView>('services/default/pair')
      assert.deepEqual(passedOver, [{ by: 'default/caller', ejected: 1, unhealthy: 0 }])
    }, 20_000)
    const { events } = await ask<EventList>('events')
    assert.ok(events.some(({ kind, subject }) => kind === 'endpoint' && subject === 'Service/default/pair'))
  })

  it('sends topology and events as they come', async () => {
    const { adminUrl, adminToken } = mesh.state
    const stopping = new AbortController()
    const answer = await fetch(`${adminUrl}/v1/live?afterId=0`, {
      headers: { authorization: `Bearer ${adminToken}` },
      signal: stopping.signal,
    })
    assert.equal(answer.headers.get('content-type'), 'text/event-stream')
    let heard = ''
    const reading = (async () => {
      for await (const bytes of answer.body ?? []) heard += Buffer.from(bytes as Uint8Array).toString()
    })().catch(() => undefined)
    await eventually(() => assert.match(heard, /^event: topology\ndata: \{"atMs"/m), 5_000)
    // what was before is asked for by id: nothing is missed between a list and the stream
    await eventually(() => assert.match(heard, /^event: event\ndata: \{"id":1,/m), 5_000)
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('connectTimeout: 2s', 'connectTimeout: 3s'))
    await eventually(() => assert.match(heard, /event: event\ndata: .*TrafficPolicy\/default\/web/), 10_000)
    stopping.abort()
    await reading
    const { events } = await ask<EventList>('events')
    assert.ok(
      events.some(
        ({ kind, documents }) => kind === 'configuration' && documents?.includes('TrafficPolicy/default/web'),
      ),
    )
  })
})

async function controlPlanePid(): Promise<number> {
  const found = (await processTree(mesh.pid)).find(({ command }) => command.includes('control-plane'))
  assert.ok(found, 'no control plane')
  return found.pid
}
