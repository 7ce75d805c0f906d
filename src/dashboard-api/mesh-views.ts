// What the read API says of a service, of workloads and of security, from what the control plane knows now.
import type { DocumentView } from '../contracts/control-api.ts'
import type {
  DocumentPlace,
  EndpointList,
  RouteView,
  SecurityView,
  ServiceView,
  Topology,
  TopologyEdge,
  TrafficSums,
  WorkloadDetail,
  WorkloadList,
  WorkloadView,
} from '../contracts/read-api.ts'
import { nodeId } from '../contracts/xds/names.ts'
import type { NodeKind } from '../contracts/xds/names.ts'
import { workloadSpiffeId } from '../control/api/desired-state.ts'
import type { MeshService, MeshWorkload } from '../control/snapshot/mesh-snapshot.ts'
import type { TrafficPeriod } from '../control/telemetry/traffic-period.ts'
import { admissionOf, admissionsOf } from './admission.ts'
import { placeOf } from './document-place.ts'
import { nodeIds, serviceId, workloadsOf } from './node-ids.ts'
import type { ReadApiDeps } from './read-api-deps.ts'
import { telemetryView } from './telemetry-view.ts'
import { buildEdges, buildTopology, healthOf, readinessOf, signalsOf, worst } from './topology.ts'
import { buildTrafficSums } from './traffic-sums.ts'
import type { TrafficQuery } from './traffic-sums.ts'

const freshMs = 1_000
/** The control plane has other things to do: what took long to make is kept so many times as long. */
const restFactor = 10
const mostTopologies = 16

export class MeshViews {
  readonly #deps: ReadApiDeps
  /** The newest by how long a time was asked for. */
  readonly #topologies = new Map<number, { readonly topology: Topology; readonly freshUntilMs: number }>()

  constructor(deps: ReadApiDeps) {
    this.#deps = deps
  }

  /** Made once for all who ask within a second, or longer where it takes long. */
  topology(askedMs: number): Topology {
    const windowMs = this.#known(askedMs)
    const { snapshot, traffic, statuses, clock } = this.#deps
    const nowMs = clock.nowMs()
    const made = this.#topologies.get(askedMs)
    const startMs = clock.monotonicMs()
    if (made !== undefined && startMs < made.freshUntilMs && made.topology.revision === snapshot().revision)
      return made.topology
    const isReady = (workload: string): boolean => statuses.isReady(workload)
    const isSupervised = statuses.list().length > 0
    const topology = buildTopology({ snapshot: snapshot(), traffic, isReady, isSupervised }, nowMs, windowMs)
    if (this.#topologies.size >= mostTopologies) this.#topologies.clear()
    const endMs = clock.monotonicMs()
    const freshUntilMs = endMs + Math.max(freshMs, restFactor * (endMs - startMs))
    this.#topologies.set(askedMs, { topology, freshUntilMs })
    return topology
  }

  traffic(query: TrafficQuery): TrafficSums {
    const { snapshot, traffic, clock } = this.#deps
    return buildTrafficSums(
      { snapshot: snapshot(), traffic, placeOfRoute: this.#placesOfRoutes() },
      query,
      clock.nowMs(),
    )
  }

  workloads(askedMs: number): WorkloadList {
    const windowMs = this.#known(askedMs)
    return { windowMs, workloads: this.#workloads([...this.#deps.snapshot().workloads.values()], windowMs) }
  }

  /** Undefined: there is none. */
  workload(namespace: string, name: string, askedMs: number): WorkloadDetail | undefined {
    const { snapshot, traffic, clock } = this.#deps
    const key = `${namespace}/${name}`
    const workload = snapshot().workloads.get(key)
    if (workload === undefined) return undefined
    const windowMs = this.#known(askedMs)
    const edges = traffic.edges(clock.nowMs() - windowMs, clock.nowMs())
    const [view] = this.#workloads([workload], windowMs)
    const services = [...snapshot().services.values()].filter((one) => workloadsOf(one).includes(key))
    const policies = services.flatMap((service) => [placeOf(service.source), ...this.#policiesOf(service)])
    return {
      windowMs,
      workload: view as WorkloadView,
      services: services.map(serviceId),
      policies: [...new Map(policies.map((place) => [place.id, place])).values()],
      admission: admissionOf(workload, snapshot()),
      telemetry: telemetryView(workload, snapshot()),
      answered: edges.filter((edge) => edge.workload === key),
      sent: edges.filter(({ reporter, source }) => reporter === 'source' && source === key),
    }
  }

  /** Undefined: there is none. */
  service(namespace: string, name: string, askedMs: number): ServiceView | undefined {
    const windowMs = this.#known(askedMs)
    const snapshot = this.#deps.snapshot()
    const service = [...snapshot.services.values()].find((one) => one.namespace === namespace && one.name === name)
    if (service === undefined) return undefined
    const { traffic, clock } = this.#deps
    const [fromMs, toMs] = [clock.nowMs() - windowMs, clock.nowMs()]
    const id = serviceId(service)
    const period = traffic.period(fromMs, toMs)
    const edges = buildEdges(period, nodeIds(snapshot, period))
    const asked = period.groups(({ service: host }) => (host === service.host ? id : undefined)).get(id)
    const behind = workloadsOf(service).flatMap((workload) => snapshot.workloads.get(workload) ?? [])
    const workloads = this.#workloads(behind, windowMs, service.host)
    const ready = workloads.filter((workload) => workload.state === 'ready').length
    const supervised = workloads.some(({ state }) => state !== undefined)
    return {
      id,
      namespace,
      name,
      host: service.host,
      external: service.external,
      ...signalsOf(asked),
      health: worst(healthOf(asked), supervised ? readinessOf(ready, workloads.length) : 'idle'),
      windowMs,
      ports: service.ports.map(({ name: port, port: number, protocol }) => ({ name: port, port: number, protocol })),
      document: placeOf(service.source),
      policies: this.#policiesOf(service),
      workloads,
      passedOver: this.#deps.passedOver.of(service.host),
      routes: this.#routesOf(service, period),
      callers: edges.filter(({ to }) => to === id),
      calls: edges.filter(({ from }) => from === id),
    }
  }

  /** Undefined: there is no such Service. */
  async endpoints(namespace: string, name: string, askedMs: number): Promise<EndpointList | undefined> {
    const { snapshot, traffic, clock, endpoints } = this.#deps
    const service = [...snapshot().services.values()].find((one) => one.namespace === namespace && one.name === name)
    if (service === undefined) return undefined
    const callers = traffic.groups(clock.nowMs() - this.#known(askedMs), clock.nowMs(), ({ reporter, ...series }) =>
      series.service === service.host && reporter !== 'destination' ? series.source : undefined,
    )
    const busiestFirst = [...callers].toSorted(([, a], [, b]) => b.requests - a.requests)
    return endpoints.of(
      service.host,
      busiestFirst.map(([caller]) => caller),
    )
  }

  documents(): DocumentPlace[] {
    return this.#deps.documents().map(placeOfDocument)
  }

  security(askedMs: number): SecurityView {
    const { proxyCertificates, authorityCertificates, snapshot } = this.#deps
    const { edges, windowMs } = this.topology(askedMs)
    const authority = authorityCertificates().map(({ role, notAfterMs }) => ({ holder: role, notAfterMs }))
    const { workloads, gateways } = snapshot()
    const of = (kind: NodeKind, holders: Iterable<string>): SecurityView['certificates'] =>
      [...holders].flatMap((name) => {
        const certificate = proxyCertificates.of(kind, name)
        return certificate === undefined ? [] : [{ holder: `${kind} ${name}`, ...certificate }]
      })
    return {
      windowMs,
      plaintext: edges.filter(({ mtls }) => mtls === 'some' || mtls === 'none'),
      refused: edges.flatMap((edge) => {
        const requests = refusedOf(edge)
        return requests > 0 ? [{ from: edge.from, to: edge.to, requests }] : []
      }),
      admissions: admissionsOf(snapshot()),
      certificates: [...authority, ...of('sidecar', workloads.keys()), ...of('gateway', gateways.keys())].toSorted(
        (a, b) => a.notAfterMs - b.notAfterMs,
      ),
    }
  }

  /** Rates would be too low in a time of which only a part is known. */
  #known(askedMs: number): number {
    const { clock, traffic } = this.#deps
    return Math.max(1_000, Math.min(askedMs, clock.nowMs() - traffic.sinceMs))
  }

  /** `service`: only what callers asked of it counts. */
  #workloads(workloads: readonly MeshWorkload[], windowMs: number, service?: string): WorkloadView[] {
    const { traffic, clock, statuses, proxies, proxyCertificates, snapshot } = this.#deps
    const answered = traffic.groups(clock.nowMs() - windowMs, clock.nowMs(), (series) =>
      series.workload === '' || (service !== undefined && series.service !== service) ? undefined : series.workload,
    )
    const connected = new Map(proxies().map((proxy) => [proxy.id, proxy]))
    return workloads.map((workload) => {
      const { namespace, name, labels, source, locality } = workload
      const key = `${namespace}/${name}`
      const status = statuses.list().find((one) => one.kind === 'sidecar' && `${one.namespace}/${one.name}` === key)
      const proxy = connected.get(nodeId('sidecar', namespace, name))
      const certificate = proxyCertificates.of('sidecar', key)
      return {
        namespace,
        name,
        spiffeId: workloadSpiffeId(workload, snapshot()),
        ...(status !== undefined && { state: status.state }),
        ...(status?.message !== undefined && { reason: status.message }),
        restarts: status?.restarts ?? 0,
        zone: locality?.zone ?? '',
        ...(certificate !== undefined && { certificateNotAfterMs: certificate.notAfterMs }),
        proxyConnected: proxy?.connected === true,
        ...(proxy?.ackedRevision !== undefined && { proxyRevision: proxy.ackedRevision }),
        labels,
        document: placeOf(source),
        ...signalsOf(answered.get(key)),
      }
    })
  }

  /** The busiest first. */
  #routesOf({ host }: MeshService, period: TrafficPeriod): RouteView[] {
    const placeOfRoute = this.#placesOfRoutes()
    const groups = period.groups(({ service, protocol, route }) =>
      service === host && protocol !== 'tcp' ? route : undefined,
    )
    const routes = [...groups].map(([route, group]): RouteView => {
      const document = placeOfRoute(route)
      const { codes } = group
      return { route, ...signalsOf(group), codes, health: healthOf(group), ...(document !== undefined && { document }) }
    })
    return routes.toSorted((a, b) => b.requests - a.requests)
  }

  /** "default/reviews/0": a rule of one of these. */
  #placesOfRoutes(): (route: string) => DocumentPlace | undefined {
    const places = new Map(this.documents().map((place) => [place.id, place]))
    return (route) => {
      const [namespace, name] = route.split('/')
      const ids = ['HTTPRoute', 'GRPCRoute'].map((kind) => `${kind}/${namespace}/${name}`)
      return places.get(ids.find((id) => places.has(id)) ?? '')
    }
  }

  /** Documents that name it as their target, parent or backend. */
  #policiesOf(service: MeshService): DocumentPlace[] {
    return this.#deps
      .documents()
      .filter((document) => names(document, service))
      .map(placeOfDocument)
  }
}

function names({ namespace, document }: DocumentView, service: MeshService): boolean {
  const spec = document['spec']
  if (typeof spec !== 'object' || spec === null) return false
  const { targetRefs = [], parentRefs = [], rules = [] } = spec as Readonly<Record<string, unknown>>
  const backends = listOf(rules).flatMap((rule) => listOf(rule['backendRefs']))
  const kind = service.external ? 'ExternalService' : 'Service'
  return [...listOf(targetRefs), ...listOf(parentRefs), ...backends].some(
    (reference) =>
      reference['kind'] === kind &&
      reference['name'] === service.name &&
      (reference['namespace'] ?? namespace) === service.namespace,
  )
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null) : []
}

function placeOfDocument({ kind, namespace, name, origin }: DocumentView): DocumentPlace {
  const id = namespace === '' ? `${kind}/${name}` : `${kind}/${namespace}/${name}`
  if (origin.kind === 'store') return { id }
  const { file, line } = origin.position
  return { id, file, line }
}

function refusedOf({ codes }: TopologyEdge): number {
  return ['401', '403', 'grpc 7', 'grpc 16'].reduce((sum, code) => sum + (codes[code] ?? 0), 0)
}
