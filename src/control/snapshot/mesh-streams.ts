// TLSRoutes and TCPRoutes whose parent is a Service or ExternalService (GAMMA) → the streams of its ports.
import { serviceHost } from '../../contracts/xds/names.ts'
import { documentProblem } from '../model/document.ts'
import { gatewayGroup, heddleGroup } from '../model/kinds.ts'
import { nearest } from '../model/nearest.ts'
import type { ParentReference } from '../model/route-kinds.ts'
import type { StreamRouteDocument } from './backends.ts'
import type { DocumentIndex } from './document-index.ts'
import type { PortDraft, ServiceDraft } from './services.ts'
import { inOrderOfAge } from './stream-attachment.ts'
import type { RankedStream, StreamAttachment } from './stream-attachment.ts'

interface PortStreams {
  readonly producer: RankedStream[]
  readonly consumer: Map<string, RankedStream[]>
}

/** The same services, with streams. */
export function withStreams(
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  attachment: StreamAttachment,
): ReadonlyMap<string, ServiceDraft> {
  const streamsByPort = new Map<PortDraft, PortStreams>()
  for (const route of [...index.all('TLSRoute'), ...index.all('TCPRoute')]) {
    if (route.spec.parentRefs.length === 0)
      attachment.problems.add(
        documentProblem(route, 'HDL006', 'warning', ['spec'], 'the route has no parentRefs: it applies to nothing'),
      )
    for (const position of route.spec.parentRefs.keys())
      attach(route, position, index, services, attachment, streamsByPort)
  }
  if (streamsByPort.size === 0) return services
  return new Map([...services].map(([host, draft]) => [host, draftWithStreams(draft, streamsByPort)]))
}

function draftWithStreams(draft: ServiceDraft, streamsByPort: ReadonlyMap<PortDraft, PortStreams>): ServiceDraft {
  const ports = draft.ports.map((port): PortDraft => {
    const streams = streamsByPort.get(port)
    if (streams === undefined) return port
    const consumerStreams = new Map([...streams.consumer].map(([caller, own]) => [caller, inOrderOfAge(own)]))
    return { ...port, streams: inOrderOfAge(streams.producer), consumerStreams }
  })
  return { ...draft, ports }
}

function attach(
  route: StreamRouteDocument,
  position: number,
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  attachment: StreamAttachment,
  streamsByPort: Map<PortDraft, PortStreams>,
): void {
  const parentRef = route.spec.parentRefs[position] as ParentReference
  const { group, port, sectionName } = parentRef
  if (group === gatewayGroup && parentRef.kind === 'Gateway') return
  const path = ['spec', 'parentRefs', position]
  const namespace = parentRef.namespace ?? route.namespace
  const isService = (group === '' || group === 'core') && parentRef.kind === 'Service'
  const isExternal = group === heddleGroup && parentRef.kind === 'ExternalService'
  if (!isService && !isExternal) {
    const message = `a parent of kind ${group}/${parentRef.kind} is not supported`
    const hint =
      parentRef.kind === 'Service' ? 'A Service is of the core group: write group: "".' : 'Use a Service or a Gateway.'
    attachment.problems.add(documentProblem(route, 'HDL010', 'error', [...path, 'kind'], message, hint))
    return
  }
  const kind = isService ? 'Service' : 'ExternalService'
  const refuse = (code: 'HDL008' | 'HDL010', reason: string, field: string, message: string, hint?: string): void => {
    const problem = documentProblem(route, code, 'error', [...path, field], message, hint)
    attachment.refuse(route, parentRef, namespace, reason, problem)
  }
  const parent = index.get(kind, namespace, parentRef.name)
  if (parent === undefined) {
    const meant = nearest(parentRef.name, index.names(kind, namespace))
    const message = `there is no ${kind} "${parentRef.name}" in namespace ${namespace}`
    refuse('HDL008', 'NoMatchingParent', 'name', message, meant === undefined ? undefined : `Did you mean "${meant}"?`)
    return
  }
  const hosts = parent.kind === 'Service' ? [serviceHost(parent.name, namespace)] : parent.spec.hosts
  const all = hosts.flatMap((host) => services.get(host)?.ports ?? [])
  const named = all.filter(
    (one) => (port === undefined || one.port === port) && (sectionName === undefined || one.name === sectionName),
  )
  const field = port !== undefined ? 'port' : sectionName !== undefined ? 'sectionName' : 'name'
  if (named.length === 0) {
    const has = all.map((one) => (one.name === '' ? String(one.port) : `${one.port} (${one.name})`)).join(', ')
    const message = `${kind} ${parentRef.name} has no port ${port ?? sectionName ?? ''}`.trimEnd()
    refuse('HDL008', 'NoMatchingParent', field, message, `It has ${has === '' ? 'none' : has}.`)
    return
  }
  // where requests are looked into, routes for requests decide
  const opaque = named.filter(({ protocol }) => protocol === 'tcp' || protocol === 'tls' || protocol === 'auto')
  if (opaque.length === 0) {
    const message = `${kind} ${parentRef.name} is declared to speak ${named[0]?.protocol ?? 'HTTP'} there: a ${route.kind} does not apply`
    refuse('HDL010', 'UnsupportedProtocol', field, message, 'Set appProtocol: tcp on the port, or name it tcp-....')
    return
  }
  const hostnames = route.kind === 'TCPRoute' ? [] : route.spec.hostnames.length === 0 ? ['*'] : route.spec.hostnames
  const ranked = attachment.accept(route, parentRef, namespace, hostnames)
  for (const one of opaque) {
    let streams = streamsByPort.get(one)
    if (streams === undefined) streamsByPort.set(one, (streams = { producer: [], consumer: new Map() }))
    if (route.namespace === namespace) streams.producer.push(ranked)
    else streams.consumer.set(route.namespace, [...(streams.consumer.get(route.namespace) ?? []), ranked])
  }
}
