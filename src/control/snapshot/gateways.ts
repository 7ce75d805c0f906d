// Gateways of Heddle's classes, their listeners, and the routes attached to them → virtual hosts and streams.
import type { Problem } from '../../contracts/problem.ts'
import { documentProblem, sourceLocation } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import type { GatewayListener } from '../model/gateway-kinds.ts'
import { gatewayGroup } from '../model/kinds.ts'
import { nearest } from '../model/nearest.ts'
import type { ParentReference } from '../model/route-kinds.ts'
import type { RouteDocument, StreamRouteDocument } from './backends.ts'
import { selectorMatches } from './document-index.ts'
import type { DocumentIndex } from './document-index.ts'
import { PortOwners, draftListeners, isServed } from './gateway-listeners.ts'
import type { ListenerDraft, ListenerFault } from './gateway-listeners.ts'
import { gatewayStatus } from './gateway-status.ts'
import { compareSpecificity, coversHostname, intersectHostnames } from './hostnames.ts'
import type { MeshGateway, MeshListener } from './mesh-snapshot.ts'
import { inOrderOfPrecedence } from './precedence.ts'
import type { RankedRoute } from './precedence.ts'
import type { ProblemList, RefusalReason, RouteAttachment } from './route-attachment.ts'
import type { SecretShelf } from './secrets.ts'
import type { SecurityPolicies } from './security.ts'
import { compareText } from './services.ts'
import { gatewayControllerName } from './status.ts'
import type { DocumentStatus } from './status.ts'
import { inOrderOfAge } from './stream-attachment.ts'
import type { StreamAttachment } from './stream-attachment.ts'

type Gateway = ModelDocument<'Gateway'>

/** Gateways may name this class without a GatewayClass document. */
const builtInClass = 'heddle'

export interface CompiledGateways {
  /** By "namespace/name", sorted. */
  readonly gateways: ReadonlyMap<string, MeshGateway>
  readonly statuses: ReadonlyMap<string, DocumentStatus>
}

interface GatewayDraft {
  readonly address: string
  readonly fault: ListenerFault | undefined
  readonly listeners: readonly ListenerDraft[]
}

export function compileGateways(
  index: DocumentIndex,
  attachment: RouteAttachment,
  streamAttachment: StreamAttachment,
  shelf: SecretShelf,
  security: SecurityPolicies,
): CompiledGateways {
  const { problems } = attachment
  const drafts = new Map<Gateway, GatewayDraft>()
  const owners = new PortOwners()
  for (const gateway of index.all('Gateway').toSorted((a, b) => compareText(a.id, b.id))) {
    if (!isOurs(gateway, index, attachment)) continue
    const { address, fault } = listenAddress(gateway, problems)
    const listeners = draftListeners(gateway, address, index, owners, shelf, problems)
    drafts.set(gateway, { address, fault, listeners })
  }
  // of two kinds that want one hostname the older route has it (GRPCRouteSpec.hostnames)
  const routes: readonly RouteDocument[] = [...index.all('HTTPRoute'), ...index.all('GRPCRoute')].toSorted(compareAge)
  for (const route of routes)
    for (const position of gatewayParents(route))
      attach(route, position, index, drafts, {
        refuse: (parentRef, reason, problem) => attachment.refuse(route, parentRef, undefined, reason, problem),
        accept: (parentRef, places) => {
          const ranked = attachment.accept(route, parentRef, undefined)
          for (const { draft, hostnames } of places)
            for (const hostname of hostnames)
              draft.routesByHost.set(hostname, [...(draft.routesByHost.get(hostname) ?? []), ...ranked])
        },
      })
  for (const route of [...index.all('TLSRoute'), ...index.all('TCPRoute')])
    for (const position of gatewayParents(route))
      attach(route, position, index, drafts, {
        refuse: (parentRef, reason, problem) => streamAttachment.refuse(route, parentRef, undefined, reason, problem),
        accept: (parentRef, places) => {
          const { stream, ...rank } = streamAttachment.accept(route, parentRef, undefined, [])
          for (const { draft, hostnames } of places)
            draft.streams.push({
              ...rank,
              stream: draft.listener.protocol === 'TCP' ? stream : { ...stream, hostnames },
            })
        },
      })
  const gateways = new Map<string, MeshGateway>()
  const statuses = new Map<string, DocumentStatus>()
  for (const [gateway, { address, fault, listeners }] of drafts) {
    gateways.set(
      `${gateway.namespace}/${gateway.name}`,
      meshGateway(gateway, address, fault === undefined ? listeners : [], security),
    )
    statuses.set(gateway.id, gatewayStatus(address, fault, listeners))
  }
  return { gateways, statuses }
}

function* gatewayParents({ spec }: AnyRoute): Iterable<number> {
  for (const [position, { group, kind }] of spec.parentRefs.entries())
    if (group === gatewayGroup && kind === 'Gateway') yield position
}

/** Loopback unless the Gateway says otherwise: who wants to be reached from outside has to say so. */
const defaultAddress = '127.0.0.1'

function listenAddress(
  gateway: Gateway,
  problems: ProblemList,
): { readonly address: string; readonly fault: ListenerFault | undefined } {
  const [first, ...others] = gateway.spec.addresses
  const path = ['spec', 'addresses']
  if (others.length > 0) {
    const message = 'a Gateway listens at one address: the others are left out'
    problems.add(documentProblem(gateway, 'HDL010', 'warning', [...path, 1], message))
  }
  if (first === undefined) return { address: defaultAddress, fault: undefined }
  const { type, value = defaultAddress } = first
  if (type === 'IPAddress') return { address: value, fault: undefined }
  const message = `addresses of type ${type} are not supported`
  problems.add(documentProblem(gateway, 'HDL010', 'error', [...path, 0, 'type'], message, 'Use IPAddress.'))
  return { address: defaultAddress, fault: { reason: 'UnsupportedAddress', message } }
}

function isOurs(gateway: Gateway, index: DocumentIndex, attachment: RouteAttachment): boolean {
  const { gatewayClassName } = gateway.spec
  const declared = index.get('GatewayClass', '', gatewayClassName)
  if (declared !== undefined) return declared.spec.controllerName === gatewayControllerName
  if (gatewayClassName === builtInClass) return true
  const classes = [builtInClass, ...index.names('GatewayClass', '')]
  const meant = nearest(gatewayClassName, classes)
  attachment.problems.add(
    documentProblem(
      gateway,
      'HDL008',
      'error',
      ['spec', 'gatewayClassName'],
      `there is no GatewayClass "${gatewayClassName}"`,
      meant === undefined ? `Heddle's own class is "${builtInClass}".` : `Did you mean "${meant}"?`,
    ),
  )
  return false
}

type AnyRoute = RouteDocument | StreamRouteDocument

interface Place {
  readonly draft: ListenerDraft
  readonly hostnames: readonly string[]
}

/** What becomes of one reference of a route to a Gateway. */
interface Verdict {
  refuse(parentRef: ParentReference, reason: RefusalReason, problem: Problem): void
  accept(parentRef: ParentReference, places: readonly Place[]): void
}

const refusalCodes: Readonly<Partial<Record<RefusalReason, Problem['code']>>> = {
  NotAllowedByListeners: 'HDL009',
  Conflicted: 'HDL012',
}

function attach(
  route: AnyRoute,
  position: number,
  index: DocumentIndex,
  drafts: ReadonlyMap<Gateway, GatewayDraft>,
  verdict: Verdict,
): void {
  const parentRef = route.spec.parentRefs[position] as ParentReference
  const path = ['spec', 'parentRefs', position]
  const namespace = parentRef.namespace ?? route.namespace
  const gateway = index.get('Gateway', namespace, parentRef.name)
  const refuse = (reason: RefusalReason, field: string, message: string, hint?: string): void => {
    const code = refusalCodes[reason] ?? 'HDL008'
    const problem = documentProblem(route, code, 'error', [...path, field], message, hint)
    verdict.refuse(parentRef, reason, problem)
  }
  if (gateway === undefined) {
    const meant = nearest(parentRef.name, index.names('Gateway', namespace))
    const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
    refuse('NoMatchingParent', 'name', `there is no Gateway "${parentRef.name}" in namespace ${namespace}`, hint)
    return
  }
  const listeners = drafts.get(gateway)?.listeners
  // somebody else's Gateway: its controller answers for it
  if (listeners === undefined) return
  const { sectionName, port } = parentRef
  const named = listeners.filter(
    ({ listener }) =>
      (sectionName === undefined || listener.name === sectionName) && (port === undefined || listener.port === port),
  )
  if (named.length === 0) {
    const field = sectionName === undefined ? 'port' : 'sectionName'
    const has = listeners.map(({ listener }) => `${listener.name} (${listener.port})`).join(', ')
    const wanted = [sectionName, port].filter((one) => one !== undefined).join(' with port ')
    refuse('NoMatchingParent', field, `Gateway ${parentRef.name} has no listener ${wanted}`, `It has ${has}.`)
    return
  }
  const allowing = named.filter((draft) => allows(draft, route, gateway, index))
  if (allowing.length === 0) {
    const message = `no listener of Gateway ${namespace}/${parentRef.name} allows a ${route.kind} from namespace ${route.namespace}`
    refuse('NotAllowedByListeners', 'name', message, "Widen the listener's allowedRoutes.")
    return
  }
  const places = allowing.flatMap((draft) => {
    const hostnames = intersection(draft.listener.hostname ?? '*', hostnamesOf(route))
    return hostnames.length === 0 ? [] : [{ draft, hostnames }]
  })
  if (places.length === 0) {
    const message = `no hostname of the route is one of Gateway ${namespace}/${parentRef.name}'s`
    refuse('NoMatchingListenerHostname', 'name', message, "Compare the route's hostnames with the listener's hostname.")
    return
  }
  const free = places.filter(({ draft, hostnames }) => !isConflict(route, hostnames, draft))
  if (free.length === 0) {
    const other = route.kind === 'HTTPRoute' ? 'GRPCRoute' : 'HTTPRoute'
    const message = `Gateway ${namespace}/${parentRef.name} has a ${other} for that hostname already, and routes of two kinds do not mix`
    refuse('Conflicted', 'name', message, 'Give each of them a hostname of its own.')
    return
  }
  for (const { draft, hostnames } of free) {
    draft.attached.add(route.id)
    for (const hostname of hostnames) draft.kindByHost.set(hostname, route.kind)
  }
  verdict.accept(parentRef, free)
}

function compareAge(a: RouteDocument, b: RouteDocument): number {
  return (
    compareText(a.metadata.creationTimestamp ?? '~', b.metadata.creationTimestamp ?? '~') ||
    compareText(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`)
  )
}

/** Connections are told apart by SNI alone, whatever the kind of route: only routes for requests are in each other's way. */
function isConflict(route: AnyRoute, hostnames: readonly string[], { kindByHost, listener }: ListenerDraft): boolean {
  if (!listener.protocol.startsWith('HTTP')) return false
  return [...kindByHost].some(
    ([host, kind]) =>
      kind !== route.kind && hostnames.some((hostname) => intersectHostnames(host, hostname) !== undefined),
  )
}

function hostnamesOf(route: AnyRoute): readonly string[] {
  return route.kind === 'TCPRoute' ? [] : route.spec.hostnames
}

function allows(
  { listener, supportedKinds }: ListenerDraft,
  route: AnyRoute,
  gateway: Gateway,
  index: DocumentIndex,
): boolean {
  if (!supportedKinds.includes(route.kind)) return false
  const { from, selector } = listener.allowedRoutes.namespaces
  if (from === 'Selector')
    return selector !== undefined && selectorMatches(selector, index.namespaceLabels(route.namespace))
  return from === 'All' || route.namespace === gateway.namespace
}

function intersection(listenerHostname: string, routeHostnames: readonly string[]): string[] {
  if (routeHostnames.length === 0) return [listenerHostname]
  return routeHostnames.flatMap((hostname) => intersectHostnames(listenerHostname, hostname) ?? [])
}

function meshGateway(
  gateway: Gateway,
  address: string,
  drafts: readonly ListenerDraft[],
  security: SecurityPolicies,
): MeshGateway {
  const served = drafts.filter(isServed)
  // a listener that cannot be served keeps its hostname: nobody else answers for it
  const accepted = drafts.filter((draft) => draft.fault === undefined).map((draft) => draft.listener)
  const { namespace, name, metadata } = gateway
  const labels = gatewayLabels(name, metadata.labels)
  return {
    namespace,
    name,
    address,
    security: security.of({ kind: 'Gateway', namespace, name, labels }),
    listeners: served.map(({ listener, certificates, routesByHost, streams }) => ({
      name: listener.name,
      port: listener.port,
      protocol: listener.protocol as MeshListener['protocol'],
      ...(listener.hostname === undefined ? {} : { hostname: listener.hostname }),
      certificates,
      virtualHosts: listener.protocol.startsWith('HTTP') ? virtualHosts(listener, routesByHost, accepted) : [],
      streams: inOrderOfAge(streams),
    })),
    source: sourceLocation(gateway),
  }
}

/** As a Pod of that Gateway would be labelled (GEP-1762). */
export function gatewayLabels(name: string, labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { ...labels, 'gateway.networking.k8s.io/gateway-name': name }
}

/**
 * Rules of the more specific hostname come first, those of every hostname around it after them (HTTPRouteSpec.hostnames). A request
 * belongs to the one listener whose hostname is the most specific (Gateway API listener isolation): that one has a virtual host for
 * its whole hostname even without a route, and the others have none inside of it.
 */
function virtualHosts(
  listener: GatewayListener,
  routesByHost: ReadonlyMap<string, readonly RankedRoute[]>,
  listeners: readonly GatewayListener[],
): MeshGateway['listeners'][number]['virtualHosts'] {
  const own = listener.hostname ?? '*'
  const moreSpecific = listeners.filter(
    (other) =>
      other.port === listener.port && (other.hostname ?? '*') !== own && coversHostname(own, other.hostname ?? '*'),
  )
  const hostnames = [...new Set([own, ...routesByHost.keys()])]
    .filter((hostname) => !moreSpecific.some((other) => coversHostname(other.hostname ?? '*', hostname)))
    .toSorted(compareSpecificity)
  return hostnames.map((hostname) => ({
    hostname,
    // a route with several fitting hostnames counts by its most specific one
    routes: [
      ...new Set(
        [...routesByHost]
          .filter(([around]) => coversHostname(around, hostname))
          .toSorted(([a], [b]) => compareSpecificity(a, b))
          .flatMap(([, routes]) => inOrderOfPrecedence(routes)),
      ),
    ],
  }))
}
