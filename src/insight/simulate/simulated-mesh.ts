// Documents and a scenario → what each client's proxy runs: snapshot → view → resources → runtime, as the real planes do it.
import type { Problem } from '../../contracts/problem.ts'
import { inboundName, nodeId, serviceHost, serviceListener, typeUrls } from '../../contracts/xds/names.ts'
import type { TypeUrl } from '../../contracts/xds/names.ts'
import { documentProblem, type ModelDocument } from '../../control/model/document.ts'
import { nearest } from '../../control/model/nearest.ts'
import type { ScenarioApplication, ScenarioClient } from '../../control/model/scenario-kind.ts'
import type { MeshService, MeshServicePort, MeshSnapshot, MeshWorkload } from '../../control/snapshot/mesh-snapshot.ts'
import { createResourceView } from '../../control/translate/mesh-resource-view.ts'
import type { ResourceView, XdsNode } from '../../control/translate/resource-view.ts'
import { decodeClusterResource } from '../../proxy/runtime/decode-cluster.ts'
import { decodeLoadAssignmentResource } from '../../proxy/runtime/decode-endpoints.ts'
import { decodeListenerResource } from '../../proxy/runtime/decode-listener.ts'
import { decodeRouteConfigurationResource } from '../../proxy/runtime/decode-route.ts'
import { clusterNames, inlineClusterNames, routeConfigurationNames } from '../../proxy/runtime/references.ts'
import type { ClusterConfig, ListenerConfig, RuntimeConfig } from '../../proxy/runtime/runtime-config.ts'

/** Where each instance is, by "namespace/name" of the workload that was made for it. */
export interface PlacedInstance {
  /** "namespace/name". */
  readonly workload: string
  readonly host: string
  readonly zone: string | undefined
}

/** What a proxy has for one of its listeners. */
export interface ProxyConfig {
  readonly config: RuntimeConfig
  readonly listener: ListenerConfig
}

/** The port at which every sidecar takes requests. */
export const sidecarPort = 15_006

/** Names of a scenario that the mesh does not have, and what cannot be simulated. */
export function scenarioProblems(scenario: ModelDocument<'Scenario'>, snapshot: MeshSnapshot): readonly Problem[] {
  const { spec, namespace } = scenario
  const problems: Problem[] = []
  const missing = (path: (string | number)[], kind: string, name: string, known: readonly string[]): void => {
    const meant = nearest(name, known)
    const hint = meant === undefined ? `There are: ${known.join(', ')}.` : `Did you mean "${meant}"?`
    problems.push(documentProblem(scenario, 'HDL008', 'error', path, `there is no ${kind} "${name}"`, hint))
  }
  const workloads = namesIn(snapshot.workloads, namespace)
  const services = namesIn(snapshot.services, namespace)
  const check = (path: (string | number)[], workload: string): void => {
    if (!workloads.includes(workload)) missing(path, 'Workload', workload, workloads)
  }
  for (const [index, { workload }] of spec.applications.entries())
    check(['spec', 'applications', index, 'workload'], workload)
  for (const [index, { workload }] of spec.clients.entries()) check(['spec', 'clients', index, 'workload'], workload)
  const applications = spec.applications.map(({ workload }) => workload)
  const calls = callsOf(scenario)
  for (const { path, service, port } of calls) {
    const found = snapshot.services.get(serviceHost(service, namespace))
    if (found === undefined) missing([...path, 'service'], 'Service', service, services)
    else if (found.ports.every((one) => one.port !== port))
      missing(
        [...path, 'port'],
        `port of ${service}`,
        String(port),
        found.ports.map((one) => String(one.port)),
      )
  }
  const asked = new Map<string, string[]>()
  for (const { path, caller, service, port } of calls) {
    const at = [...path, 'service']
    const called = portOf(snapshot, serviceHost(service, namespace), port)
    if (called?.protocol === 'tcp' || called?.protocol === 'tls') {
      const message = `${service}:${port} carries bytes: only HTTP can be simulated`
      problems.push(documentProblem(scenario, 'HDL010', 'error', at, message))
    }
    const behind = workloadsBehind(snapshot, namespace, called)
    if (caller !== undefined) {
      if ([...behind].some((one) => leadsTo(asked, one, caller))) {
        const message = `${service} asks ${caller} in turn: such requests would never end`
        problems.push(documentProblem(scenario, 'HDL010', 'error', at, message))
      } else asked.set(caller, [...(asked.get(caller) ?? []), ...behind])
    }
    for (const one of behind) {
      if (applications.some((application) => `${namespace}/${application}` === one)) continue
      const message = `no application says how ${one} behaves: nobody can connect to it`
      problems.push(documentProblem(scenario, 'HDL008', 'warning', at, message, 'Add it to spec.applications.'))
    }
  }
  const rated = spec.clients.filter(({ rate }) => rate !== undefined).map(({ workload }) => workload)
  for (const [index, { action, workload }] of spec.events.entries()) {
    const at = ['spec', 'events', index, 'workload']
    if (action === 'Surge' && !rated.includes(workload)) missing(at, 'client with a rate', workload, rated)
    if (action !== 'Surge' && !applications.includes(workload)) missing(at, 'application', workload, applications)
  }
  return problems
}

interface WrittenCall {
  readonly path: readonly (string | number)[]
  /** "namespace/name" of an application; undefined: a client. */
  readonly caller: string | undefined
  readonly service: string
  readonly port: number
}

function callsOf({ spec, namespace }: ModelDocument<'Scenario'>): WrittenCall[] {
  return [
    ...spec.clients.map(({ service, port }, index) => {
      return { path: ['spec', 'clients', index], caller: undefined, service, port }
    }),
    ...spec.applications.flatMap(({ workload, calls }, index) =>
      calls.map(({ service, port }, call) => {
        const path = ['spec', 'applications', index, 'calls', call]
        return { path, caller: `${namespace}/${workload}`, service, port }
      }),
    ),
  ]
}

/** Whether `from` is `to`, or asks somebody who is, as far as that is known. */
function leadsTo(asked: ReadonlyMap<string, readonly string[]>, from: string, to: string): boolean {
  return from === to || (asked.get(from) ?? []).some((next) => leadsTo(asked, next, to))
}

function portOf({ services }: MeshSnapshot, host: string, port: number): MeshServicePort | undefined {
  return services.get(host)?.ports.find((one) => one.port === port)
}

/** Of the port itself and of where its routes lead; "namespace/name", or an address. */
function workloadsBehind(
  snapshot: MeshSnapshot,
  namespace: string,
  called: MeshServicePort | undefined,
): ReadonlySet<string> {
  const routes = called?.consumerRoutes.get(namespace) ?? called?.routes ?? []
  const backends = routes.flatMap(({ action }) => (action.kind === 'forward' ? action.backends : []))
  const led = backends.map(({ host = '', port }) => portOf(snapshot, host, port))
  const ports = routes.length === 0 ? [called] : led
  const endpoints = ports.flatMap((one) => one?.endpoints ?? [])
  return new Set(endpoints.map((one) => (one.kind === 'workload' ? one.workload : one.host)))
}

function namesIn(
  named: ReadonlyMap<string, { readonly namespace: string; readonly name: string }>,
  namespace: string,
): string[] {
  return [...named.values()].filter((one) => one.namespace === namespace).map(({ name }) => name)
}

export class SimulatedMesh {
  readonly snapshot: MeshSnapshot
  /** By "namespace/name" of the scenario's workload. */
  readonly instances: ReadonlyMap<string, readonly PlacedInstance[]>
  readonly #hosts = new Map<string, string>()
  readonly #namespace: string
  readonly #view: ResourceView
  #made = 0

  constructor(snapshot: MeshSnapshot, scenario: ModelDocument<'Scenario'>) {
    this.#namespace = scenario.namespace
    const workloads = new Map(snapshot.workloads)
    const copies = new Map<string, readonly MeshWorkload[]>()
    for (const application of scenario.spec.applications) {
      const key = `${this.#namespace}/${application.workload}`
      const original = snapshot.workloads.get(key)
      if (original === undefined) continue
      const made = instancesOf(original, application)
      copies.set(key, made)
      for (const one of made) workloads.set(keyOf(one), one)
    }
    const services = new Map([...snapshot.services].map(([host, service]) => [host, withCopies(service, copies)]))
    this.snapshot = { ...snapshot, workloads, services }
    this.instances = new Map(
      [...copies].map(([key, made]) => [
        key,
        made.map((one) => ({ workload: keyOf(one), host: this.#hostOf(keyOf(one)), zone: one.locality?.zone })),
      ]),
    )
    this.#view = createResourceView(this.snapshot, {
      address: (proxy, purpose) => ({
        host: this.#hostOf(proxy),
        port: purpose.startsWith('inbound|') ? sidecarPort : 15_001,
      }),
    })
  }

  /** An address that nobody has had. */
  newHost(): string {
    const number = ++this.#made
    return `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`
  }

  /** Of its proxies, for what its application calls. */
  clientConfig({ workload, service, port }: Pick<ScenarioClient, 'workload' | 'service' | 'port'>): ProxyConfig {
    const found = this.#configOf(workload, serviceListener(serviceHost(service, this.#namespace), port))
    if (found === undefined) throw new Error(`${workload} cannot call ${service}: its Workload has to use it`)
    return found
  }

  /** Of the sidecar of an instance, for what comes to its application; undefined: it has nothing to do but to pass it on. */
  inboundConfig({ workload }: PlacedInstance): ProxyConfig | undefined {
    const ports = this.snapshot.workloads.get(workload)?.ports ?? []
    const name = workload.slice(workload.indexOf('/') + 1)
    return ports
      .map(({ port }) => this.#configOf(name, inboundName(port), limitsAlone))
      .find((one) => one && limits(one))
  }

  #configOf(
    workload: string,
    listenerName: string,
    simplified = (listener: ListenerConfig): ListenerConfig => listener,
  ): ProxyConfig | undefined {
    const node: XdsNode = {
      kind: 'sidecar',
      id: nodeId('sidecar', this.#namespace, workload),
      namespace: this.#namespace,
      name: workload,
    }
    const body = (type: TypeUrl, name: string): Uint8Array => {
      const resource = this.#view.get(type, name, node)
      if (resource === undefined) throw new Error(`${workload} does not get ${name}`)
      return resource.body
    }
    const resource = this.#view.get(typeUrls.listener, listenerName, node)
    if (resource === undefined) return undefined
    const listener = simplified(decodeListenerResource(resource.body))
    const routeConfigurations = new Map(
      routeConfigurationNames(listener).map((one) => [
        one,
        decodeRouteConfigurationResource(body(typeUrls.routeConfiguration, one)),
      ]),
    )
    const routed = [...routeConfigurations.values()].flatMap(clusterNames)
    const clusters = new Map<string, ClusterConfig>()
    for (const one of new Set([...routed, ...inlineClusterNames(listener)])) {
      const { config, endpointsName } = decodeClusterResource(body(typeUrls.cluster, one))
      const endpoints =
        endpointsName === undefined
          ? config.endpoints
          : decodeLoadAssignmentResource(body(typeUrls.clusterLoadAssignment, endpointsName))
      clusters.set(one, { ...config, endpoints })
    }
    const listeners = new Map([[listenerName, listener]])
    return { listener, config: { revision: '1', listeners, routeConfigurations, clusters, secrets: new Map() } }
  }

  #hostOf(workload: string): string {
    let host = this.#hosts.get(workload)
    if (host === undefined) {
      host = this.newHost()
      this.#hosts.set(workload, host)
    }
    return host
  }
}

/** Other filters ask a server, need a key, or depend on one that does. */
function limitsAlone(listener: ListenerConfig): ListenerConfig {
  const filterChains = listener.filterChains.map((chain) => {
    const { filter } = chain
    if (filter.kind !== 'http' || filter.filters === undefined) return chain
    const { filters, ...rest } = filter
    const kept = filters.filter(({ kind }) => kind === 'local-rate-limit')
    return { ...chain, filter: kept.length === 0 ? rest : { ...rest, filters: kept } }
  })
  return { ...listener, filterChains }
}

function limits({ listener, config }: ProxyConfig): boolean {
  return (
    listener.filterChains.some(({ filter }) => filter.kind === 'http' && filter.filters !== undefined) ||
    [...config.clusters.values()].some(({ adaptiveConcurrency }) => adaptiveConcurrency !== undefined)
  )
}

function instancesOf(workload: MeshWorkload, { instances, zones }: ScenarioApplication): readonly MeshWorkload[] {
  return Array.from({ length: instances }, (_, index) => {
    const zone = zones.length === 0 ? undefined : (zones[index % zones.length] as string)
    const { region = '', subZone = '' } = workload.locality ?? {}
    return {
      ...workload,
      name: `${workload.name}-${index}`,
      ...(zone === undefined ? {} : { locality: { region, zone, subZone } }),
    }
  })
}

function withCopies(service: MeshService, copies: ReadonlyMap<string, readonly MeshWorkload[]>): MeshService {
  return {
    ...service,
    ports: service.ports.map((port) => ({
      ...port,
      endpoints: port.endpoints.flatMap((endpoint) => {
        const made = endpoint.kind === 'workload' ? copies.get(endpoint.workload) : undefined
        return made === undefined ? [endpoint] : made.map((one) => ({ ...endpoint, workload: keyOf(one) }))
      }),
    })),
  }
}

function keyOf({ namespace, name }: MeshWorkload): string {
  return `${namespace}/${name}`
}
