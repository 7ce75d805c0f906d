import { fastify } from 'fastify'
import type { FastifyInstance } from 'fastify'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../test/kit/manual-clock.ts'
import { sampleRecord } from '../../test/kit/sample-record.ts'
import { sampleService, sampleSnapshot, sampleWorkload } from '../../test/kit/sample-snapshot.ts'
import type { DecisionRecord } from '../contracts/decision-record.ts'
import type {
  Admission,
  RequestList,
  RequestView,
  RevisionDifference,
  SecurityView,
  ServiceView,
  TelemetryView,
  Topology,
  WorkloadDetail,
} from '../contracts/read-api.ts'
import { requiredRole } from '../control/api/api-roles.ts'
import { WorkloadStatuses } from '../control/api/workload-statuses.ts'
import type { MeshWorkload } from '../control/snapshot/mesh-snapshot.ts'
import { KeptRequests } from '../control/telemetry/kept-requests.ts'
import { MeshEndpoints } from '../control/telemetry/mesh-endpoints.ts'
import { MeshEvents } from '../control/telemetry/mesh-events.ts'
import { MeshTap } from '../control/telemetry/mesh-tap.ts'
import { ObservedTraffic } from '../control/telemetry/observed-traffic.ts'
import type { TrafficSeries } from '../control/telemetry/observed-traffic.ts'
import { PassedOverEndpoints } from '../control/telemetry/passed-over.ts'
import { ProxyCertificates } from '../control/telemetry/proxy-certificates.ts'
import type { ReportSink } from '../control/telemetry/reported-totals.ts'
import type { AppliedPolicy, AuthorizationPolicySpec } from '../policies/authorization/authorization.spec.ts'
import { admissionsOf } from './admission.ts'
import { MeshViews } from './mesh-views.ts'
import type { ReadApiDeps } from './read-api-deps.ts'
import { readRoutes, registerReadApi } from './read-api.ts'
import { telemetryView } from './telemetry-view.ts'

const within5Ms = [0, 0, 0, 1]

function traffic(changes: Partial<TrafficSeries> = {}): TrafficSeries {
  return {
    reporter: 'source',
    source: 'default/client',
    sourcePrincipal: 'spiffe://mesh.local/ns/default/sa/client',
    service: 'web.default.svc.cluster.local',
    workload: 'default/web-1',
    route: 'r',
    protocol: 'http',
    mtls: true,
    code: '200',
    grpcStatus: '',
    ...changes,
  }
}

/** client → web-1 → store, which answers with 503. */
function failedRequest(): DecisionRecord[] {
  const headers = { 'x-request-id': 'r1' }
  const { request, response } = sampleRecord()
  const hop = (source: string, workload: string, service: string): DecisionRecord[] => {
    const to = `${service}.default.svc.cluster.local`
    const both = { request: { ...request, headers }, response: { ...response, status: 503 }, durationMs: 9 }
    const attempts = [{ endpoint: '127.0.0.1:1', workload, outcome: 'response', status: 503, durationMs: 9 }] as const
    return [
      sampleRecord({
        ...both,
        proxy: source,
        source: { workload: source },
        destination: { service: to, workload },
        attempts,
      }),
      sampleRecord({
        ...both,
        proxy: workload,
        reporter: 'destination',
        source: {},
        destination: { workload },
        attempts: [],
      }),
    ]
  }
  return [...hop('default/web-1', 'default/store', 'store'), ...hop('default/client', 'default/web-1', 'web')]
}

interface Read {
  readonly app: FastifyInstance
  readonly deps: ReadApiDeps
  readonly clock: ManualClock
  readonly ask: <T>(url: string) => Promise<T>
}

/** client → web (two workloads) → store (one), and a gateway. */
function reading(): Read {
  const clock = new ManualClock()
  const [port] = sampleService('web').ports
  const behind = (...workloads: string[]) => [
    {
      ...port!,
      endpoints: workloads.map((workload) => ({ kind: 'workload', workload, port: 9080, weight: 1 }) as const),
    },
  ]
  const snapshot = sampleSnapshot(
    ['client', 'web-1', 'web-2', 'store'].map((name) => sampleWorkload(name)),
    [
      sampleService('web', { ports: behind('default/web-1', 'default/web-2') }),
      sampleService('store', { ports: behind('default/store') }),
    ],
  )
  const statuses = new WorkloadStatuses()
  const ready = ['client', 'web-1', 'store'].map((name) => ({ name, state: 'ready' }) as const)
  statuses.replace(
    [...ready, { name: 'web-2', state: 'failing', message: 'it ended with 1' } as const].map((one) => ({
      kind: 'sidecar',
      namespace: 'default',
      restarts: 0,
      ...one,
    })),
  )
  const deps: ReadApiDeps = {
    clock,
    snapshot: () => snapshot,
    traffic: new ObservedTraffic({ clock }),
    events: new MeshEvents(clock),
    requests: new KeptRequests(),
    tap: new MeshTap({ clock, token: '', proxies: () => [] }),
    endpoints: new MeshEndpoints({ clock, token: '', proxies: () => [] }),
    compileCondition: () => ({ message: 'no condition', offset: 4 }),
    statuses,
    proxies: () => [{ id: 'sidecar~default~web-1', connected: true, sinceMs: 1, ackedRevision: '7' }],
    proxyCertificates: new ProxyCertificates(),
    passedOver: new PassedOverEndpoints(),
    authorityCertificates: () => [{ role: 'root', use: 'signing', serialNumber: 'A', notBeforeMs: 0, notAfterMs: 5 }],
    problems: () => [
      { code: 'HDL004', severity: 'error', message: 'unknown field', position: { file: 'a', line: 1, column: 2 } },
    ],
    documents: () => [
      {
        apiVersion: 'heddle.dev/v1alpha1',
        kind: 'TrafficPolicy',
        namespace: 'default',
        name: 'web',
        origin: { kind: 'file', position: { file: 'mesh.yaml', line: 7, column: 1 } },
        document: { spec: { targetRefs: [{ kind: 'Service', name: 'web' }] } },
        defaults: {},
      },
    ],
    revisions: () => Promise.resolve([{ revision: 7, atMs: 3, changed: ['Service/default/web'] }]),
    documentsOf: (revision) =>
      Promise.resolve(revision > 7 ? undefined : new Map([['Service/default/web', `{"revision":${revision}}`]])),
  }
  const app = fastify()
  registerReadApi(app, deps)
  const ask = async <T>(url: string): Promise<T> => {
    const answer = await app.inject({ url })
    expect(answer.statusCode, answer.body).toBe(200)
    return answer.json<T>()
  }
  return { app, deps, clock, ask }
}

function someTraffic({ deps, clock }: Read): void {
  for (let one = 0; one < 97; one++) deps.traffic.observed(traffic(), within5Ms)
  for (let one = 0; one < 3; one++) deps.traffic.observed(traffic({ code: '503' }), within5Ms)
  deps.traffic.observed(
    traffic({
      source: 'default/web-1',
      service: 'store.default.svc.cluster.local',
      workload: 'default/store',
      mtls: false,
      code: '403',
    }),
    within5Ms,
  )
  deps.traffic.observed(traffic({ reporter: 'gateway', source: 'default/public' }), within5Ms)
  deps.traffic.observed(
    traffic({ reporter: 'destination', source: '', sourcePrincipal: '', service: '', mtls: false }),
    within5Ms,
  )
  deps.events.add({
    kind: 'workload',
    severity: 'error',
    subject: 'Workload/default/web-2',
    message: 'it ended with 1',
  })
  for (const record of failedRequest()) deps.requests.add(record)
  deps.proxyCertificates
    .sink({ kind: 'sidecar', name: 'default/web-1', spiffeId: 'spiffe://mesh.local/ns/default/sa/web-1' })
    .measured('heddle_certificate_expiry_timestamp_seconds', {}, 1_700_003_600)
  clock.advance(1_000)
}

function ejected(sink: ReportSink, value: number, host = 'web.default.svc.cluster.local'): void {
  sink.measured('heddle_outlier_ejected_endpoints', { cluster: `${host}:80` }, value)
}

function told(changes: Partial<MeshWorkload>): TelemetryView {
  return telemetryView(sampleWorkload('web', changes), sampleSnapshot([]))
}

function admission(authorization: readonly AppliedPolicy[]): Admission | undefined {
  return admissionsOf(sampleSnapshot([sampleWorkload('web', { security: { authorization, jwtRules: [] } })]))[0]
}

describe('the read API', () => {
  it('answers as its OpenAPI document says, with traffic and without', async () => {
    for (const prepare of [() => undefined, someTraffic]) {
      const read = reading()
      prepare(read)
      const { paths } = await read.ask<{ paths: Record<string, unknown> }>('/v1/openapi.json')
      const routes = readRoutes(read.deps, new MeshViews(read.deps))
      expect(Object.keys(paths)).toHaveLength(routes.length)
      for (const { path, answer } of routes) {
        if (path.includes(':id') && read.deps.requests.list().length === 0) continue
        const url = path
          .replace(':namespace', 'default')
          .replace(':name', path.includes('workloads') ? 'web-1' : 'web')
          .replace(':id', 'r1')
        const period = /edges|series/.test(url)
          ? `?fromMs=${read.clock.nowMs() - 60_000}&toMs=${read.clock.nowMs()}`
          : url.includes('difference')
            ? '?from=6&to=7'
            : ''
        const found = await read.ask(`${url}${period}`)
        expect(answer.safeParse(found).error, url).toBeUndefined()
      }
    }
  })

  it('says who calls whom, with how well it goes', async () => {
    const read = reading()
    someTraffic(read)
    const { nodes, edges } = await read.ask<Topology>('/v1/topology?windowMs=60000')
    const edge = (from: string, to: string) => edges.find((one) => one.from === from && one.to === to)
    expect(edge('workload/default/client', 'service/default/web')).toMatchObject({
      requests: 100,
      failed: 3,
      mtls: 'all',
      health: 'degraded',
      codes: { '200': 97, '503': 3 },
      protocols: ['http'],
    })
    expect(edge('service/default/web', 'service/default/store')).toMatchObject({ requests: 1, mtls: 'none' })
    expect(edge('gateway/default/public', 'service/default/web')).toMatchObject({ requests: 1, health: 'healthy' })
    expect(edge('outside', 'service/default/web')).toMatchObject({ requests: 1, mtls: 'none' })
    const node = (id: string) => nodes.find((one) => one.id === id)
    expect(node('service/default/web')).toMatchObject({ requests: 102, failed: 3, ready: 1, health: 'degraded' })
    expect(node('service/default/store')).toMatchObject({ ready: 1, health: 'healthy' })
    expect(node('workload/default/client')).toMatchObject({ kind: 'workload', health: 'idle' })
    expect(nodes.map(({ id }) => id)).toContain('outside')
  })

  it('shows a service with its workloads, callers, and what is written about it', async () => {
    const read = reading()
    someTraffic(read)
    const service = await read.ask<ServiceView>('/v1/services/default/web')
    expect(service.workloads).toMatchObject([
      {
        name: 'web-1',
        requests: 101,
        failed: 3,
        state: 'ready',
        proxyConnected: true,
        proxyRevision: '7',
        certificateNotAfterMs: 1_700_003_600_000,
      },
      { name: 'web-2', requests: 0, state: 'failing', reason: 'it ended with 1' },
    ])
    expect(service.callers.map(({ from }) => from).toSorted()).toEqual([
      'gateway/default/public',
      'outside',
      'workload/default/client',
    ])
    expect(service.calls.map(({ to }) => to)).toEqual(['service/default/store'])
    expect(service.policies).toEqual([{ id: 'TrafficPolicy/default/web', file: 'mesh.yaml', line: 7 }])
    expect(service.passedOver).toEqual([])
    expect((await read.app.inject('/v1/services/default/nobody')).statusCode).toBe(404)
  })

  it('shows a workload with what it answered and sent', async () => {
    const read = reading()
    someTraffic(read)
    const detail = await read.ask<WorkloadDetail>('/v1/workloads/default/web-1')
    expect(detail).toMatchObject({ services: ['service/default/web'], workload: { name: 'web-1', requests: 102 } })
    expect(detail.policies.at(-1)).toEqual({ id: 'TrafficPolicy/default/web', file: 'mesh.yaml', line: 7 })
    expect(detail.answered.map(({ reporter, requests }) => [reporter, requests])).toEqual([
      ['source', 100],
      ['gateway', 1],
      ['destination', 1],
    ])
    expect(detail.sent).toMatchObject([{ service: 'store.default.svc.cluster.local', codes: { '403': 1 } }])
    expect((await read.app.inject('/v1/workloads/default/nobody')).statusCode).toBe(404)
  })

  it('says what is not told of a workload, and where that is written', async () => {
    const source = { document: 'Telemetry/default/silent', file: 'mesh.yaml', line: 3, column: 1 }
    const accessLog = { enabled: false, samplePercent: 1 }
    const muted = { metrics: true, decisionRecords: false }
    expect(told({ telemetry: { accessLog, muted, sources: [source] } })).toEqual({
      metrics: false,
      decisionRecords: true,
      accessLog: false,
      traces: false,
      documents: [{ id: 'Telemetry/default/silent', file: 'mesh.yaml', line: 3 }],
    })
    expect(told({})).toEqual({ metrics: true, decisionRecords: true, accessLog: true, traces: false, documents: [] })
    const detail = await reading().ask<WorkloadDetail>('/v1/workloads/default/web-1')
    expect(detail.telemetry).toEqual(told({}))
  })

  it('says who passes over endpoints of it, for as long as that is known', async () => {
    const read = reading()
    const reporter = { kind: 'sidecar', name: 'default/client', spiffeId: 'spiffe://a' } as const
    const [one, other] = [read.deps.passedOver.sink(reporter), read.deps.passedOver.sink(reporter)]
    const passedOver = async () => (await read.ask<ServiceView>('/v1/services/default/web')).passedOver
    ejected(one, 2)
    ejected(one, 7, 'web.other.svc.cluster.local')
    ejected(other, 1)
    other.measured('heddle_unhealthy_endpoints', { cluster: 'web.default.svc.cluster.local:443' }, 1)
    expect(await passedOver()).toEqual([{ by: 'default/client', ejected: 2, unhealthy: 1 }])
    ejected(one, 0)
    expect(await passedOver()).toEqual([{ by: 'default/client', ejected: 1, unhealthy: 1 }])
    other.left?.()
    expect(await passedOver()).toEqual([])
  })

  it('says what comes in plaintext, what is refused, and whose certificate ends first', async () => {
    const read = reading()
    someTraffic(read)
    const { plaintext, refused, certificates } = await read.ask<SecurityView>('/v1/security')
    expect(plaintext.map(({ from, to }) => `${from} ${to}`).toSorted()).toEqual([
      'outside service/default/web',
      'service/default/web service/default/store',
    ])
    expect(refused).toEqual([{ from: 'service/default/web', to: 'service/default/store', requests: 1 }])
    expect(certificates.map(({ holder }) => holder)).toEqual(['root', 'sidecar default/web-1'])
  })

  it('says who is let in where, in the words of the policies', async () => {
    const source = { document: 'AuthorizationPolicy/default/front', file: 'mesh.yaml', line: 3, column: 1 }
    const policy = (spec: Partial<AuthorizationPolicySpec>): AppliedPolicy => ({
      name: 'AuthorizationPolicy/default/front',
      source,
      ruleSources: [],
      namespace: 'default',
      spec: { action: 'ALLOW', dryRun: false, reauthorize: false, ...spec },
    })
    const from = [{ source: { namespaces: ['shop', 'office'], notPrincipals: ['mesh.local/ns/shop/sa/cart'] } }]
    expect(admission([])).toEqual({
      subject: 'Workload/default/web',
      peerAuthentication: ['STRICT'],
      byDefault: 'allowed',
      policies: [],
    })
    const allowing = admission([policy({ rules: [{ from, to: [{ operation: { methods: ['GET'] } }] }] })])
    expect(allowing).toMatchObject({
      byDefault: 'refused',
      policies: [
        {
          id: 'AuthorizationPolicy/default/front',
          file: 'mesh.yaml',
          line: 3,
          action: 'ALLOW',
          callers: ['namespaces: shop, office; not principals: mesh.local/ns/shop/sa/cart'],
          isNarrowed: true,
        },
      ],
    })
    expect(admission([policy({ dryRun: true, rules: [{}] })])).toMatchObject({
      byDefault: 'allowed',
      policies: [{ callers: ['anybody'], isNarrowed: false, dryRun: true }],
    })
    // no rule: nobody
    expect(admission([policy({})])).toMatchObject({ byDefault: 'refused', policies: [{ callers: [] }] })
  })

  it('has signals over time, of a service or a workload', async () => {
    const read = reading()
    someTraffic(read)
    const nowMs = read.clock.nowMs()
    const period = `fromMs=${nowMs - 10_000}&toMs=${nowMs}&stepMs=1000`
    const { points } = await read.ask<{ points: { atMs: number; requests: number }[] }>(
      `/v1/series?${period}&service=default/web`,
    )
    expect(points).toHaveLength(10)
    expect(points.at(-1)).toMatchObject({ atMs: nowMs - 1_000, requests: 101 })
    const { points: store } = await read.ask<{ points: { requests: number }[] }>(
      `/v1/series?${period}&workload=default/store`,
    )
    expect(store.at(-1)).toMatchObject({ requests: 1 })
  })

  it('finds a request that failed, and shows all its hops', async () => {
    const read = reading()
    someTraffic(read)
    for (const query of [
      '',
      '?service=default/store',
      '?workload=default/web-1&status=5xx',
      '?status=503&minDurationMs=9',
    ]) {
      const { requests } = await read.ask<RequestList>(`/v1/requests${query}`)
      expect(requests, query).toMatchObject([{ id: 'r1', source: 'default/client', status: 503, hops: 4 }])
    }
    for (const query of [
      '?service=default/other',
      '?status=500',
      '?flag=UF',
      '?minDurationMs=10',
      '?sinceMs=1800000000000',
    ])
      expect(await read.ask(`/v1/requests${query}`), query).toEqual({ requests: [] })
    const { waterfall, fault } = await read.ask<RequestView>('/v1/requests/r1')
    expect(waterfall.map(({ depth, record: { proxy } }) => `${depth} ${proxy}`)).toEqual([
      '0 default/client',
      '1 default/web-1',
      '2 default/web-1',
      '3 default/store',
    ])
    expect(fault).toEqual({ proxy: 'default/store', reason: 'the application answered with status 503' })
    expect((await read.app.inject('/v1/requests/r2')).statusCode).toBe(404)
  })

  it.each([
    '/v1/requests?status=9xx',
    '/v1/requests?flag=XX',
    '/v1/requests?service=web',
    '/v1/topology?windowMs=5',
    '/v1/topology?windowMs=NaN',
    '/v1/topology?window=60s',
    '/v1/series?fromMs=0&toMs=9000000&stepMs=1000',
    '/v1/series?fromMs=0&toMs=1000&service=web',
    '/v1/events?most=1000000',
    '/v1/live?windowMs=x',
  ])('refuses %s', async (url) => {
    const { app } = reading()
    const answer = await app.inject({ url })
    expect(answer.statusCode).toBe(400)
  })

  it('is for viewers', () => {
    const { deps } = reading()
    for (const { path } of readRoutes(deps, new MeshViews(deps))) expect(requiredRole('GET', path)).toBe('viewer')
    expect(requiredRole('GET', '/v1/live')).toBe('viewer')
    expect(requiredRole('GET', '/v1/openapi.json')).toBe('viewer')
  })

  it('says what is wrong with the condition of a tap', async () => {
    const { app } = reading()
    const answer = await app.inject({ url: `/v1/tap?where=${encodeURIComponent('a ==')}` })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ message: 'where: character 5: no condition' })
  })

  it('says in what two revisions differ, and that there is none of that number', async () => {
    const { app, ask } = reading()
    const { documents } = await ask<RevisionDifference>('/v1/difference?from=3&to=7')
    expect(documents.map(({ id, action }) => [id, action])).toEqual([['Service/default/web', 'changed']])
    const missing = await app.inject({ url: '/v1/difference?from=7&to=8' })
    expect([missing.statusCode, missing.json<{ message: string }>().message]).toEqual([404, 'there is no revision 8'])
  })

  it('takes no more than a part of the time for topologies, however long one takes to make', () => {
    const { deps, clock } = reading()
    let asked = 0
    const isReady = (): boolean => {
      asked++
      clock.advance(500)
      return true
    }
    const views = new MeshViews({ ...deps, statuses: { isReady, list: () => [] } })
    const startMs = clock.nowMs()
    const first = views.topology(60_000)
    const tookMs = clock.nowMs() - startMs
    expect(tookMs).toBe(asked * 500)
    clock.advance(10 * tookMs - 1)
    expect(views.topology(60_000)).toBe(first)
    clock.advance(1)
    expect(views.topology(60_000)).not.toBe(first)
  })
})
