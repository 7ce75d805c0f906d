// Services and ExternalServices with what is behind each port; routes come later.
import { isIP } from 'node:net'

import type { SourceLocation } from '../../contracts/decision-record.ts'
import type { Problem } from '../../contracts/problem.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import type { ServicePort } from '../model/core-kinds.ts'
import { documentProblem, sourceLocation } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { labelsMatch } from './document-index.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshEndpoint, MeshServicePort } from './mesh-snapshot.ts'
import { declaredProtocol } from './port-protocol.ts'

export interface ServiceDraft {
  readonly document: ModelDocument<'Service' | 'ExternalService'>
  readonly host: string
  readonly external: boolean
  readonly ports: readonly PortDraft[]
  readonly source: SourceLocation
}

export interface PortDraft {
  readonly name: string
  readonly port: number
  readonly protocol: MeshServicePort['protocol']
  readonly endpoints: readonly MeshEndpoint[]
  readonly streams: MeshServicePort['streams']
  readonly consumerStreams: MeshServicePort['consumerStreams']
  readonly originateTls?: NonNullable<MeshServicePort['originateTls']>
  readonly peerSpiffeIds?: NonNullable<MeshServicePort['peerSpiffeIds']>
  readonly traffic?: NonNullable<MeshServicePort['traffic']>
}

export interface CompiledServices {
  /** By host, sorted. */
  readonly services: ReadonlyMap<string, ServiceDraft>
  readonly problems: readonly Problem[]
}

type Slice = ModelDocument<'EndpointSlice'>

export function compileServices(index: DocumentIndex): CompiledServices {
  const problems: Problem[] = []
  const drafts: ServiceDraft[] = []
  const slicesByService = new Map<string, Slice[]>()
  for (const slice of index.all('EndpointSlice')) {
    const key = `${slice.namespace}/${slice.metadata.labels['kubernetes.io/service-name'] ?? ''}`
    slicesByService.set(key, [...(slicesByService.get(key) ?? []), slice])
  }
  for (const service of index.all('Service')) {
    const slices = slicesByService.get(`${service.namespace}/${service.name}`) ?? []
    drafts.push(compileService(service, slices, index, problems))
  }
  for (const external of index.all('ExternalService')) drafts.push(...compileExternal(external))
  const services = new Map<string, ServiceDraft>()
  for (const draft of drafts.toSorted((a, b) => compareText(a.host, b.host))) {
    const first = services.get(draft.host)
    if (first === undefined) {
      services.set(draft.host, draft)
      continue
    }
    const at = draft.document.kind === 'Service' ? ['metadata', 'name'] : ['spec', 'hosts']
    const message = `the host ${draft.host} belongs to ${first.document.id} already`
    problems.push(documentProblem(draft.document, 'HDL012', 'error', at, message, 'Take it out of one of them.'))
  }
  return { services, problems }
}

function compileService(
  service: ModelDocument<'Service'>,
  slices: readonly Slice[],
  index: DocumentIndex,
  problems: Problem[],
): ServiceDraft {
  const { spec, namespace, name } = service
  const selected = selectedWorkloads(service, index)
  if (selected.length === 0 && slices.length === 0 && spec.type !== 'ExternalName') {
    const path = spec.selector === undefined ? ['spec'] : ['spec', 'selector']
    const message =
      spec.selector === undefined
        ? 'nothing is behind this Service: it has no selector, and no EndpointSlice names it'
        : `nothing is behind this Service: no Workload in ${namespace} has these labels`
    problems.push(documentProblem(service, 'HDL008', 'warning', path, message, 'Requests to it are answered with 503.'))
  }
  const ports: PortDraft[] = []
  for (const [position, port] of spec.ports.entries()) {
    const path = ['spec', 'ports', position]
    if (port.protocol !== 'TCP') {
      const message = `${port.protocol} does not pass through the mesh: the port is left out`
      problems.push(documentProblem(service, 'HDL010', 'warning', [...path, 'protocol'], message))
      continue
    }
    const endpoints = new Map<string, MeshEndpoint>()
    for (const workload of selected) {
      const target = targetPort(port, workload)
      if (target === undefined) continue
      const { weight } = workload.spec
      put(endpoints, { kind: 'workload', workload: `${namespace}/${workload.name}`, port: target, weight })
    }
    if (selected.length > 0 && endpoints.size === 0) {
      const wanted = String(port.targetPort ?? port.port)
      const message = `none of the selected Workloads has the port ${wanted}`
      problems.push(documentProblem(service, 'HDL008', 'warning', [...path, 'targetPort'], message))
    }
    for (const slice of slices) for (const endpoint of sliceEndpoints(slice, port, index)) put(endpoints, endpoint)
    if (spec.type === 'ExternalName' && spec.externalName !== undefined) {
      const target = typeof port.targetPort === 'number' ? port.targetPort : port.port
      put(endpoints, addressEndpoint(spec.externalName, target, 1))
    }
    ports.push({
      name: port.name ?? '',
      port: port.port,
      protocol: declaredProtocol(port.appProtocol, port.name, port.port),
      endpoints: [...endpoints].toSorted(([a], [b]) => compareText(a, b)).map(([, endpoint]) => endpoint),
      streams: [],
      consumerStreams: new Map(),
    })
  }
  return {
    document: service,
    host: serviceHost(name, namespace),
    external: false,
    ports,
    source: sourceLocation(service),
  }
}

function selectedWorkloads(service: ModelDocument<'Service'>, index: DocumentIndex): ModelDocument<'Workload'>[] {
  const { selector } = service.spec
  // an empty selector selects nothing, as in Kubernetes
  if (selector === undefined || Object.keys(selector).length === 0) return []
  return index
    .allIn('Workload', service.namespace)
    .filter((workload) => labelsMatch(selector, workload.metadata.labels))
}

/**
 * The application's port behind a Service port. Workloads of one host cannot all listen on the same number, so that without a
 * `targetPort` the port of the same name, and then the Workload's only port, stands in for the same number.
 */
function targetPort(port: ServicePort, workload: ModelDocument<'Workload'>): number | undefined {
  const { ports } = workload.spec
  const wanted = port.targetPort ?? port.port
  const exact = ports.find((one) => one.port === wanted || one.name === wanted)
  if (exact !== undefined || port.targetPort !== undefined) return exact?.port
  const named = port.name === undefined ? undefined : ports.find((one) => one.name === port.name)
  return (named ?? (ports.length === 1 ? ports[0] : undefined))?.port
}

function sliceEndpoints(slice: Slice, servicePort: ServicePort, index: DocumentIndex): MeshEndpoint[] {
  const matching = slice.spec.ports.filter(
    ({ name, protocol }) => protocol === 'TCP' && name === (servicePort.name ?? ''),
  )
  return slice.spec.endpoints.flatMap(({ addresses, conditions, targetRef }) => {
    const { ready, serving, terminating } = conditions
    const draining = ready === false && serving === true && terminating === true ? ({ draining: true } as const) : {}
    // Kubernetes: an unknown state counts as ready
    if (ready === false && draining.draining === undefined) return []
    return matching.flatMap(({ port }) => {
      const target = port ?? servicePort.port
      return addresses.map((address) => {
        const named = targetRef?.kind === 'Workload' ? targetRef : undefined
        const workload = index
          .allIn('Workload', named?.namespace ?? slice.namespace)
          .find(({ name, spec }) =>
            named === undefined
              ? spec.address === address && spec.ports.some((one) => one.port === target)
              : name === named.name,
          )
        if (workload === undefined) return { ...addressEndpoint(address, target, 1), ...draining }
        const { namespace, name, spec } = workload
        const owner = `${namespace}/${name}`
        return { kind: 'workload', workload: owner, port: target, weight: spec.weight, ...draining } as const
      })
    })
  })
}

function compileExternal(external: ModelDocument<'ExternalService'>): ServiceDraft[] {
  const { hosts, ports, endpoints, tls } = external.spec
  const peers = tls?.mode === 'ISTIO_MUTUAL' ? { peerSpiffeIds: tls.subjectAltNames } : {}
  return hosts.map((host, position) => ({
    document: external,
    host,
    external: true,
    ports: ports.map(({ name, port, protocol, targetPort: dialled = port }) => ({
      name,
      port,
      protocol: protocol === 'https' ? 'tls' : protocol,
      endpoints:
        endpoints.length === 0
          ? [addressEndpoint(host, dialled, 1)]
          : endpoints.map((one) => addressEndpoint(one.address, one.port ?? dialled, one.weight)),
      streams: [],
      consumerStreams: new Map(),
      ...peers,
    })),
    source: sourceLocation(external, ['spec', 'hosts', position]),
  }))
}

function addressEndpoint(host: string, port: number, weight: number): MeshEndpoint {
  return { kind: 'address', host, port, weight, dns: isIP(host) === 0 }
}

function put(endpoints: Map<string, MeshEndpoint>, endpoint: MeshEndpoint): void {
  const place = endpoint.kind === 'workload' ? endpoint.workload : endpoint.host
  endpoints.set(`${place} ${endpoint.port}`, endpoint)
}

/** Order of code units: the same everywhere. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
