// What the control plane sees change becomes events: problems, workloads, proxies, and what proxies report of endpoints and certificates.
import { isDeepStrictEqual } from 'node:util'

import type { ProxyStatus } from '../../contracts/control-api.ts'
import type { WorkloadStatus } from '../../contracts/desired-state.ts'
import { formatProblem } from '../../contracts/problem.ts'
import type { Problem } from '../../contracts/problem.ts'
import { proxyMetrics } from '../../contracts/telemetry/metrics.ts'
import type { MeshEvents } from './mesh-events.ts'
import type { ReportSink } from './reported-totals.ts'
import type { Reporter } from './reporting-proxy.ts'

/** Those that came and those that went since the last time. */
export class NoticedProblems {
  readonly #events: MeshEvents
  #before: ReadonlyMap<string, Problem>

  constructor(events: MeshEvents, present: readonly Problem[]) {
    this.#events = events
    this.#before = new Map()
    this.update(present)
  }

  update(problems: readonly Problem[]): void {
    const now = new Map(problems.map((problem) => [formatProblem(problem), problem]))
    for (const [text, problem] of now) if (!this.#before.has(text)) this.#add(problem, problem.severity, text)
    for (const [text, problem] of this.#before) if (!now.has(text)) this.#add(problem, 'info', `solved: ${text}`)
    this.#before = now
  }

  #add({ document }: Problem, severity: 'info' | 'warning' | 'error', message: string): void {
    this.#events.add({ kind: 'problem', severity, ...(document !== undefined && { subject: document }), message })
  }
}

export class NoticedWorkloads {
  readonly #events: MeshEvents
  #before: ReadonlyMap<string, WorkloadStatus> = new Map()

  constructor(events: MeshEvents) {
    this.#events = events
  }

  update(statuses: readonly WorkloadStatus[]): void {
    const now = new Map(statuses.map((status) => [subjectOf(status), status]))
    for (const [subject, status] of now) {
      const before = this.#before.get(subject)
      const restarted = before !== undefined && status.restarts > before.restarts
      if (restarted)
        this.#add(subject, 'warning', `its application has ended and starts again, for the ${status.restarts}. time`)
      if (before?.state === status.state) continue
      if (status.state === 'failing') this.#add(subject, 'error', status.message ?? 'is failing')
      else if (status.state === 'ready') this.#add(subject, 'info', 'is ready')
      else if (status.state === 'stopping') this.#add(subject, 'info', 'is stopping')
      else if (before === undefined) this.#add(subject, 'info', 'is starting')
    }
    for (const subject of this.#before.keys()) if (!now.has(subject)) this.#add(subject, 'info', 'has stopped')
    this.#before = now
  }

  #add(subject: string, severity: 'info' | 'warning' | 'error', message: string): void {
    this.#events.add({ kind: 'workload', severity, subject, message })
  }
}

export class NoticedProxies {
  readonly #events: MeshEvents
  #before: ReadonlyMap<string, ProxyStatus> = new Map()

  constructor(events: MeshEvents) {
    this.#events = events
  }

  update(proxies: readonly ProxyStatus[]): void {
    const now = new Map(proxies.map((proxy) => [proxy.id, proxy]))
    for (const [id, proxy] of now) {
      const before = this.#before.get(id)
      const subject = subjectOfNode(id)
      if (before?.connected !== proxy.connected) {
        const message = proxy.connected ? 'its proxy has connected' : 'its proxy is gone from the control plane'
        this.#events.add({ kind: 'proxy', severity: proxy.connected ? 'info' : 'warning', subject, message })
      }
      const { lastNack } = proxy
      if (lastNack === undefined || isDeepStrictEqual(lastNack, before?.lastNack)) continue
      const message = `its proxy refused a configuration: ${lastNack.message}`
      this.#events.add({ kind: 'proxy', severity: 'error', subject, message })
    }
    this.#before = now
  }
}

/** Of what one process of a proxy reports. */
export function noticedReports(events: MeshEvents, reporter: Reporter): ReportSink {
  const measured = new Map<string, number>()
  const change = (name: string, label: string, value: number): number => {
    const key = `${name}\n${label}`
    const before = measured.get(key)
    if (measured.size < mostMeasured || before !== undefined) measured.set(key, value)
    return value - (before ?? 0)
  }
  return {
    observed() {
      // requests are no events
    },
    counted(name, { cluster = '', reason = '' }) {
      if (name === proxyMetrics.bodiesTapped.name) {
        const message = 'a holder of the token of the mesh begins to read bodies of its requests: heddle tap --bodies'
        events.add({ kind: 'tap', severity: 'warning', subject: subjectOfReporter(reporter), message })
      }
      if (name !== proxyMetrics.outlierEjections.name) return
      const message = `${reporter.name} passes over an endpoint of it for a while: ${reason.replaceAll('_', ' ')}`
      events.add({ kind: 'endpoint', severity: 'warning', subject: subjectOfCluster(cluster), message })
    },
    measured(name, { cluster = '', spiffe_id: spiffeId = '' }, value) {
      if (name === proxyMetrics.outlierEjected.name) {
        if (change(name, cluster, value) >= 0) return
        const message = `${reporter.name} lets an endpoint of it back in`
        events.add({ kind: 'endpoint', severity: 'info', subject: subjectOfCluster(cluster), message })
      } else if (name === proxyMetrics.unhealthy.name) {
        const more = change(name, cluster, value)
        if (more === 0) return
        const what =
          more > 0 ? 'an endpoint of it fails its health check' : 'an endpoint of it passes its health check again'
        const message = `${what}, as ${reporter.name} finds`
        events.add({
          kind: 'endpoint',
          severity: more > 0 ? 'warning' : 'info',
          subject: subjectOfCluster(cluster),
          message,
        })
      } else if (name === proxyMetrics.certificateExpiry.name && change(name, spiffeId, value) !== 0) {
        const message = `has a certificate until ${instant(value)}`
        events.add({ kind: 'certificate', severity: 'info', subject: subjectOfReporter(reporter), message })
      }
    },
  }
}

const mostMeasured = 10_000

function subjectOf({ kind, namespace, name }: WorkloadStatus): string {
  return `${kind === 'gateway' ? 'Gateway' : 'Workload'}/${namespace}/${name}`
}

function subjectOfReporter({ kind, name }: Pick<Reporter, 'kind' | 'name'>): string {
  return `${kind === 'gateway' ? 'Gateway' : 'Workload'}/${name}`
}

/** "sidecar~default~web" → "Workload/default/web"; of other data planes, their own id. */
function subjectOfNode(id: string): string {
  const [kind, namespace, name] = id.split('~')
  if (name === undefined) return id
  return `${kind === 'gateway' ? 'Gateway' : 'Workload'}/${namespace}/${name}`
}

/** "reviews.default.svc.cluster.local:80" → "Service/default/reviews"; a host outside the mesh stays as it is. */
function subjectOfCluster(cluster: string): string {
  const inside = /^([^.:]+)\.([^.:]+)\.svc\.cluster\.local:\d+$/.exec(cluster)
  return inside === null ? cluster : `Service/${inside[2]}/${inside[1]}`
}

function instant(seconds: number): string {
  // oxlint-disable-next-line no-restricted-globals -- formatting a given instant reads no clock
  return Math.abs(seconds) < 1e11 ? new Date(seconds * 1000).toISOString() : 'nobody knows when'
}
