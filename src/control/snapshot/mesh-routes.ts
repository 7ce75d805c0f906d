// Routes whose parent is a Service (GAMMA, GEP-1426) → the routes of each Service port, for every caller and by the caller's namespace.
import type { Problem } from '../../contracts/problem.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import { matchEverything, toRouteMatchSpec } from '../../policies/route-match/route-match.schema.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { gatewayGroup, heddleGroup } from '../model/kinds.ts'
import { nearest } from '../model/nearest.ts'
import type { ParentReference } from '../model/route-kinds.ts'
import type { RouteDocument } from './backends.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshRoute, MeshService } from './mesh-snapshot.ts'
import { carriesGrpc, carriesRequests } from './port-protocol.ts'
import { inOrderOfPrecedence } from './precedence.ts'
import type { RankedRoute } from './precedence.ts'
import type { RouteAttachment } from './route-attachment.ts'
import type { PortDraft, ServiceDraft } from './services.ts'

/** Routes of one kind, for every caller or for those of one namespace. */
interface PlaceRoutes {
  readonly kind: RouteDocument['kind']
  readonly routes: RankedRoute[]
}

interface PortRoutes {
  producer: PlaceRoutes | undefined
  readonly consumer: Map<string, PlaceRoutes>
}

export function compileMeshRoutes(
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  attachment: RouteAttachment,
): Map<string, MeshService> {
  const routesByPort = new Map<PortDraft, PortRoutes>()
  // the more specific kind comes first and has the port (GEP-1426, "Route types")
  const routes: readonly RouteDocument[] = [...index.all('GRPCRoute'), ...index.all('HTTPRoute')]
  for (const route of routes) {
    if (route.spec.parentRefs.length === 0)
      attachment.problems.add(
        documentProblem(route, 'HDL006', 'warning', ['spec'], 'the route has no parentRefs: it applies to nothing'),
      )
    for (const [position, parentRef] of route.spec.parentRefs.entries()) {
      const kind = parentKind(parentRef)
      if (kind !== undefined) attach(route, position, kind, index, services, attachment, routesByPort)
      else if (parentRef.group !== gatewayGroup || parentRef.kind !== 'Gateway')
        attachment.problems.add(unknownParent(route, position, parentRef))
    }
  }
  return new Map([...services].map(([host, draft]) => [host, meshService(draft, routesByPort)]))
}

function parentKind({ group, kind }: ParentReference): 'Service' | 'ExternalService' | undefined {
  if ((group === '' || group === 'core') && kind === 'Service') return 'Service'
  return group === heddleGroup && kind === 'ExternalService' ? 'ExternalService' : undefined
}

function unknownParent(route: RouteDocument, position: number, { group, kind }: ParentReference): Problem {
  // the group's default is the Gateway API's own: the most frequent slip in a mesh route
  const hint = kind === 'Service' ? 'A Service is of the core group: write group: "".' : 'Use a Service or a Gateway.'
  const path = ['spec', 'parentRefs', position, 'kind']
  return documentProblem(route, 'HDL010', 'error', path, `a parent of kind ${group}/${kind} is not supported`, hint)
}

function attach(
  route: RouteDocument,
  position: number,
  kind: 'Service' | 'ExternalService',
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  attachment: RouteAttachment,
  routesByPort: Map<PortDraft, PortRoutes>,
): void {
  const parentRef = route.spec.parentRefs[position] as ParentReference
  const path = ['spec', 'parentRefs', position]
  const namespace = parentRef.namespace ?? route.namespace
  const parent: ModelDocument<'Service' | 'ExternalService'> | undefined = index.get(kind, namespace, parentRef.name)
  if (parent === undefined) {
    const meant = nearest(parentRef.name, index.names(kind, namespace))
    const message = `there is no ${kind} "${parentRef.name}" in namespace ${namespace}`
    const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
    const problem = documentProblem(route, 'HDL008', 'error', [...path, 'name'], message, hint)
    attachment.refuse(route, parentRef, namespace, 'NoMatchingParent', problem)
    return
  }
  const hosts = parent.kind === 'Service' ? [serviceHost(parent.name, namespace)] : parent.spec.hosts
  const all = hosts.flatMap((host) => services.get(host)?.ports ?? [])
  const { port, sectionName } = parentRef
  // for a Service, sectionName is the name of a port (Gateway API ParentReference)
  const named = all.filter(
    (one) => (port === undefined || one.port === port) && (sectionName === undefined || one.name === sectionName),
  )
  if (named.length === 0) {
    const field = port === undefined ? 'sectionName' : 'port'
    const has = all.map((one) => (one.name === '' ? String(one.port) : `${one.port} (${one.name})`)).join(', ')
    const message = `${kind} ${parentRef.name} has no port ${port ?? sectionName ?? ''}`.trimEnd()
    const hint = `It has ${has === '' ? 'none' : has}.`
    const problem = documentProblem(route, 'HDL008', 'error', [...path, field], message, hint)
    attachment.refuse(route, parentRef, namespace, 'NoMatchingParent', problem)
    return
  }
  const spoken = named.filter((one) => carries(route, one))
  const field = port === undefined && sectionName === undefined ? 'name' : port === undefined ? 'sectionName' : 'port'
  if (spoken.length === 0) {
    const grpc = route.kind === 'GRPCRoute'
    const declared = [...new Set(named.map((one) => one.protocol))].join(', ')
    const message = `${kind} ${parentRef.name} speaks no ${grpc ? 'HTTP/2' : 'HTTP'} there: its port is declared as ${declared}`
    const wanted = grpc ? 'grpc' : 'http'
    const hint = `Set appProtocol: ${wanted} on the port, or name it ${wanted}-....`
    const problem = documentProblem(route, 'HDL010', 'error', [...path, field], message, hint)
    attachment.refuse(route, parentRef, namespace, 'UnsupportedProtocol', problem)
    return
  }
  const caller = route.namespace === namespace ? undefined : route.namespace
  const free = spoken.filter((one) => {
    const place = placeOf(routesByPort.get(one), caller)
    return place === undefined || place.kind === route.kind
  })
  if (free.length === 0) {
    const message = `${kind} ${parentRef.name} has a GRPCRoute there, and routes of two kinds do not mix`
    const hint = 'Give each of them a port of its own.'
    const problem = documentProblem(route, 'HDL012', 'error', [...path, field], message, hint)
    attachment.refuse(route, parentRef, namespace, 'Conflicted', problem)
    return
  }
  const ranked = attachment.accept(route, parentRef, namespace)
  if (ranked.length > 0) for (const one of free) put(routesByPort, one, caller, route.kind, ranked)
}

function carries({ kind }: RouteDocument, { protocol }: PortDraft): boolean {
  return kind === 'GRPCRoute' ? carriesGrpc(protocol) : carriesRequests(protocol)
}

function placeOf(routes: PortRoutes | undefined, caller: string | undefined): PlaceRoutes | undefined {
  return caller === undefined ? routes?.producer : routes?.consumer.get(caller)
}

/** `caller`: namespace of a consumer route; undefined for a producer route. */
function put(
  routesByPort: Map<PortDraft, PortRoutes>,
  port: PortDraft,
  caller: string | undefined,
  kind: RouteDocument['kind'],
  ranked: readonly RankedRoute[],
): void {
  let routes = routesByPort.get(port)
  if (routes === undefined) routesByPort.set(port, (routes = { producer: undefined, consumer: new Map() }))
  const place = placeOf(routes, caller) ?? { kind, routes: [] }
  place.routes.push(...ranked)
  if (caller === undefined) routes.producer = place
  else routes.consumer.set(caller, place)
}

function meshService(draft: ServiceDraft, routesByPort: ReadonlyMap<PortDraft, PortRoutes>): MeshService {
  const { document, host, external, source } = draft
  return {
    host,
    namespace: document.namespace,
    name: document.name,
    external,
    ports: draft.ports.map((port) => {
      const routes = routesByPort.get(port)
      const producer = inOrderOfPrecedence(routes?.producer?.routes ?? [])
      return {
        ...port,
        routes: producer.length === 0 ? [defaultRoute(draft, port.port)] : producer,
        consumerRoutes: new Map(
          [...(routes?.consumer ?? [])].map(([caller, own]) => [caller, inOrderOfPrecedence(own.routes)]),
        ),
      }
    }),
    source,
  }
}

/** A Service without an accepted route forwards to its own endpoints (GEP-1426, "Service without routes"). */
function defaultRoute(draft: ServiceDraft, port: number): MeshRoute {
  return {
    name: 'default',
    source: draft.source,
    match: toRouteMatchSpec(matchEverything),
    action: { kind: 'forward', backends: [{ host: draft.host, port, weight: 1 }], mirrors: [], timeouts: {} },
  }
}
