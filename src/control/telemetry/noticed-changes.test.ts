import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { ProxyStatus } from '../../contracts/control-api.ts'
import type { WorkloadStatus } from '../../contracts/desired-state.ts'
import type { Problem } from '../../contracts/problem.ts'
import { MeshEvents } from './mesh-events.ts'
import { NoticedProblems, NoticedProxies, NoticedWorkloads, noticedReports } from './noticed-changes.ts'
import { NoticedRevisions } from './noticed-revisions.ts'

function noticing() {
  const events = new MeshEvents(new ManualClock())
  const said = (): string[] =>
    events.list().map(({ kind, severity, subject = '', message }) => `${kind} ${severity} ${subject} ${message}`)
  return { events, said }
}

function status(changes: Partial<WorkloadStatus>): WorkloadStatus[] {
  return [{ kind: 'sidecar', namespace: 'default', name: 'web', state: 'starting', restarts: 0, ...changes }]
}

describe('events', () => {
  it('are the newest, in order, with ids that grow', () => {
    const { events } = noticing()
    for (let one = 0; one < 5_010; one++) events.add({ kind: 'workload', severity: 'info', message: String(one) })
    expect(events.list()).toHaveLength(5_000)
    expect(events.list()[0]?.message).toBe('10')
    expect(events.list({ afterId: 5_005, most: 2 }).map(({ id }) => id)).toEqual([5_009, 5_010])
    expect(events.newest.value?.id).toBe(5_010)
  })

  it('tell which documents a revision has changed, also of revisions from before a restart', () => {
    const { events, said } = noticing()
    const noticed = new NoticedRevisions(
      events,
      [
        { revision: 2, atMs: 20, changed: ['Service/default/web'] },
        { revision: 1, atMs: 10, changed: ['Service/default/a', 'Service/default/b'] },
      ],
      new Map([['Service/default/web', 'old']]),
    )
    expect(events.list().map(({ atMs, revision }) => [atMs, revision])).toEqual([
      [10, '1'],
      [20, '2'],
    ])
    noticed.update('2', new Map([['Service/default/web', 'old']]))
    noticed.update(
      '3',
      new Map([
        ['Service/default/web', 'new'],
        ['HTTPRoute/default/web', 'new'],
      ]),
    )
    noticed.update('4', new Map())
    expect(said().slice(1)).toEqual([
      'configuration info  revision 2 changes Service/default/web',
      'configuration info  revision 3 changes HTTPRoute/default/web and 1 more',
      'configuration info  revision 4 changes HTTPRoute/default/web and 1 more',
    ])
    expect(events.list().at(-1)?.documents).toEqual(['HTTPRoute/default/web', 'Service/default/web'])
  })

  it('tell when a problem comes and when it is solved', () => {
    const { events, said } = noticing()
    const problem: Problem = {
      code: 'HDL004',
      severity: 'warning',
      message: 'unknown field',
      document: 'Service/default/web',
    }
    const noticed = new NoticedProblems(events, [problem])
    noticed.update([problem])
    noticed.update([])
    expect(said()).toEqual([
      'problem warning Service/default/web Service/default/web: warning HDL004: unknown field',
      'problem info Service/default/web solved: Service/default/web: warning HDL004: unknown field',
    ])
  })

  it('tell how workloads start, fail, start again and stop', () => {
    const { events, said } = noticing()
    const noticed = new NoticedWorkloads(events)
    noticed.update(status({}))
    noticed.update(status({ state: 'ready' }))
    noticed.update(status({ state: 'ready' }))
    noticed.update(status({ state: 'failing', restarts: 1, message: 'it ended with 1' }))
    noticed.update(status({ state: 'stopping', restarts: 1 }))
    noticed.update([])
    expect(said()).toEqual([
      'workload info Workload/default/web is starting',
      'workload info Workload/default/web is ready',
      'workload warning Workload/default/web its application has ended and starts again, for the 1. time',
      'workload error Workload/default/web it ended with 1',
      'workload info Workload/default/web is stopping',
      'workload info Workload/default/web has stopped',
    ])
  })

  it('tell when proxies come, go and refuse a configuration', () => {
    const { events, said } = noticing()
    const proxy = { id: 'sidecar~default~web', connected: true, sinceMs: 1 }
    const nack = { typeUrl: 't', message: 'no such cluster', atMs: 3, current: true }
    const noticed = new NoticedProxies(events)
    const seen: ProxyStatus[] = [
      proxy,
      { ...proxy, lastNack: nack },
      { ...proxy, lastNack: { ...nack } },
      { ...proxy, connected: false, lastNack: nack },
    ]
    for (const one of seen) noticed.update([one])
    expect(said()).toEqual([
      'proxy info Workload/default/web its proxy has connected',
      'proxy error Workload/default/web its proxy refused a configuration: no such cluster',
      'proxy warning Workload/default/web its proxy is gone from the control plane',
    ])
  })

  it('tell what proxies find of endpoints, and when certificates are renewed', () => {
    const { events, said } = noticing()
    const sink = noticedReports(events, {
      kind: 'sidecar',
      name: 'default/web',
      spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
    })
    const cluster = 'reviews.default.svc.cluster.local:80'
    sink.counted('heddle_outlier_ejections_total', { cluster, reason: 'consecutive_5xx' }, 1)
    for (const ejected of [1, 1, 0]) sink.measured('heddle_outlier_ejected_endpoints', { cluster }, ejected)
    for (const unhealthy of [0, 2, 1])
      sink.measured('heddle_unhealthy_endpoints', { cluster: 'api.example:443' }, unhealthy)
    for (const seconds of [1_700_000_000, 1_700_000_000, 1_700_003_600])
      sink.measured('heddle_certificate_expiry_timestamp_seconds', { spiffe_id: 'spiffe://a' }, seconds)
    expect(said()).toEqual([
      'endpoint warning Service/default/reviews default/web passes over an endpoint of it for a while: consecutive 5xx',
      'endpoint info Service/default/reviews default/web lets an endpoint of it back in',
      'endpoint warning api.example:443 an endpoint of it fails its health check, as default/web finds',
      'endpoint info api.example:443 an endpoint of it passes its health check again, as default/web finds',
      'certificate info Workload/default/web has a certificate until 2023-11-14T22:13:20.000Z',
      'certificate info Workload/default/web has a certificate until 2023-11-14T23:13:20.000Z',
    ])
  })
})
