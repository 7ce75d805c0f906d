// Workloads with the Services that each has a loopback listener for.
import { resolve } from 'node:path'

import type { ProbeSpec } from '../../contracts/health-check.ts'
import type { Problem } from '../../contracts/problem.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import { toHealthCheckSpec } from '../../policies/health-checks/health-checks.schema.ts'
import { documentProblem, sourceLocation } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { nearest } from '../model/nearest.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshWorkload, MeshWorkloadPort, PortProtocol } from './mesh-snapshot.ts'
import { declaredProtocol } from './port-protocol.ts'
import type { SecurityPolicies } from './security.ts'
import { compareText } from './services.ts'
import type { ServiceDraft } from './services.ts'

type Workload = ModelDocument<'Workload'>
type Use = MeshWorkload['uses'][number]

/** By "namespace/name", sorted. */
export function compileWorkloads(
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  security: SecurityPolicies,
): { readonly workloads: ReadonlyMap<string, MeshWorkload>; readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  const workloads = new Map<string, MeshWorkload>()
  const portOwners = new Map<string, Workload>()
  const byServices = protocolsByServices(services)
  for (const workload of index.all('Workload').toSorted((a, b) => compareText(a.id, b.id))) {
    problems.push(...portProblems(workload, portOwners))
    workloads.set(
      `${workload.namespace}/${workload.name}`,
      meshWorkload(workload, index, services, byServices, security, problems),
    )
  }
  return { workloads, problems }
}

function meshWorkload(
  workload: Workload,
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  byServices: ReadonlyMap<string, PortProtocol>,
  security: SecurityPolicies,
  problems: Problem[],
): MeshWorkload {
  const { namespace, name, metadata, spec, folder } = workload
  const { command, workingDirectory, unix, locality } = spec
  const directory =
    workingDirectory === undefined || folder === undefined
      ? (workingDirectory ?? folder)
      : resolve(folder, workingDirectory)
  const readiness = probeOf('readinessProbe', workload, problems)
  const liveness = probeOf('livenessProbe', workload, problems)
  if (liveness !== undefined && command === undefined) problems.push(nobodyRestarts(workload))
  return {
    namespace,
    name,
    serviceAccount: spec.serviceAccount,
    labels: metadata.labels,
    address: spec.address,
    ports: spec.ports.map((port) => workloadPort(port, byServices.get(`${namespace}/${name} ${port.port}`))),
    weight: spec.weight,
    ...(locality === undefined ? {} : { locality: { region: '', zone: '', subZone: '', ...locality } }),
    ...(command === undefined ? {} : { command }),
    env: spec.env,
    ...(readiness === undefined ? {} : { readiness }),
    ...(liveness === undefined || command === undefined ? {} : { liveness }),
    ...(directory === undefined ? {} : { workingDirectory: directory }),
    ...(unix === undefined ? {} : { unix }),
    uses: usesOf(workload, index, services, problems),
    security: security.of({ kind: 'Workload', namespace, name, labels: metadata.labels }),
    source: sourceLocation(workload),
  }
}

/** Undefined too where it cannot be asked: the application is ready when it listens, and lives while it runs, then. */
function probeOf(
  name: 'readinessProbe' | 'livenessProbe',
  workload: Workload,
  problems: Problem[],
): ProbeSpec | undefined {
  const { [name]: probe, address, ports } = workload.spec
  if (probe === undefined) return undefined
  const kind = (['httpGet', 'grpc', 'tcpSocket'] as const).find((question) => probe[question] !== undefined)
  const asked = kind === undefined ? undefined : probe[kind]
  if (kind === undefined || asked === undefined) return undefined
  const port = typeof asked.port === 'number' ? asked.port : ports.find((one) => one.name === asked.port)?.port
  if (port === undefined) {
    const path = ['spec', name, kind, 'port']
    const meant = nearest(String(asked.port), new Set(ports.flatMap((one) => one.name ?? [])))
    const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
    problems.push(documentProblem(workload, 'HDL008', 'error', path, `it has no port named "${asked.port}"`, hint))
    return undefined
  }
  return {
    host: address,
    port,
    initialDelayMs: probe.initialDelaySeconds * 1_000,
    check: toHealthCheckSpec(probe),
  }
}

function nobodyRestarts(workload: Workload): Problem {
  const message = 'the livenessProbe does nothing: something else starts the application, and has to start it again'
  const hint = 'Give it a "command", or leave the probe to whoever starts it.'
  return documentProblem(workload, 'HDL010', 'warning', ['spec', 'livenessProbe'], message, hint)
}

function workloadPort(
  { name, port, appProtocol }: Workload['spec']['ports'][number],
  byServices: PortProtocol | undefined,
): MeshWorkloadPort {
  const own = declaredProtocol(appProtocol, name, port)
  return { name: name ?? '', port, protocol: own === 'auto' ? (byServices ?? own) : own }
}

/** By "namespace/name port": what the Services say that lead to that port of a workload. Where they disagree, nothing is declared. */
function protocolsByServices(services: ReadonlyMap<string, ServiceDraft>): Map<string, PortProtocol> {
  const declared = new Map<string, PortProtocol>()
  for (const { ports } of services.values())
    for (const { protocol, endpoints } of ports)
      for (const endpoint of endpoints) {
        if (endpoint.kind !== 'workload' || protocol === 'auto') continue
        const key = `${endpoint.workload} ${endpoint.port}`
        declared.set(key, agreed(declared.get(key) ?? protocol, protocol))
      }
  return declared
}

/** gRPC is HTTP/2 with a name for what is in it. */
function agreed(a: PortProtocol, b: PortProtocol): PortProtocol {
  if (a === b) return a
  const both = [a, b]
  return both.includes('grpc') && both.includes('http2') ? 'grpc' : 'auto'
}

function usesOf(
  workload: Workload,
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  problems: Problem[],
): Use[] {
  const uses = new Map<string, Use>()
  const add = (service: ServiceDraft, wanted?: number): void => {
    for (const { port } of service.ports)
      if (wanted === undefined || wanted === port) uses.set(`${service.host}:${port}`, { host: service.host, port })
  }
  for (const { name, namespace } of index.allIn('Service', workload.namespace)) {
    const service = services.get(serviceHost(name, namespace))
    if (service !== undefined) add(service)
  }
  for (const [position, use] of workload.spec.uses.entries()) {
    const { hosts, port, text } = usedHosts(use, workload.namespace, index)
    const found = hosts.flatMap((host) => services.get(host) ?? [])
    const path = ['spec', 'uses', position]
    if (found.length === 0) {
      const meant = nearest(text, index.names('Service', workload.namespace))
      const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
      problems.push(documentProblem(workload, 'HDL008', 'error', path, `there is no service "${text}"`, hint))
    } else if (port !== undefined && !found.some((service) => service.ports.some((one) => one.port === port))) {
      const has = found.flatMap((service) => service.ports.map((one) => one.port)).join(', ')
      problems.push(
        documentProblem(workload, 'HDL008', 'error', path, `service "${text}" has no port ${port}`, `It has ${has}.`),
      )
    }
    for (const service of found) add(service, port)
  }
  return [...uses.values()].toSorted((a, b) => compareText(a.host, b.host) || a.port - b.port)
}

/** Hosts that an entry of `uses` may mean: a Service by name, name.namespace or whole host, or an ExternalService. */
function usedHosts(
  use: Workload['spec']['uses'][number],
  namespace: string,
  index: DocumentIndex,
): { readonly hosts: readonly string[]; readonly port: number | undefined; readonly text: string } {
  if (typeof use !== 'string') {
    const of = use.namespace ?? namespace
    const external = index.get('ExternalService', of, use.name)?.spec.hosts ?? []
    const text = use.namespace === undefined ? use.name : `${use.name}.${use.namespace}`
    return { hosts: [serviceHost(use.name, of), ...external], port: use.port, text }
  }
  const [text, port] = use.split(':') as [string, string | undefined]
  const [name, of, ...rest] = text.split('.') as [string, ...string[]]
  const inCluster = rest.length === 0 || ['svc', 'svc.cluster.local'].includes(rest.join('.'))
  const external = index.get('ExternalService', namespace, text)?.spec.hosts ?? []
  const hosts = [...(inCluster ? [serviceHost(name, of ?? namespace)] : []), text, ...external]
  return { hosts, port: port === undefined ? undefined : Number(port), text }
}

function portProblems(workload: Workload, owners: Map<string, Workload>): Problem[] {
  return workload.spec.ports.flatMap(({ port }, position) => {
    const key = `${workload.spec.address} ${port}`
    const owner = owners.get(key)
    if (owner === undefined) owners.set(key, workload)
    if (owner === undefined) return []
    const message = `${workload.spec.address}:${port} is where ${owner.id} listens already`
    const path = ['spec', 'ports', position, 'port']
    return [documentProblem(workload, 'HDL011', 'warning', path, message, 'Give one of them another port.')]
  })
}
