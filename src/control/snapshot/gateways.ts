// Gateways of Heddle's classes, their listeners, and the routes attached to them → virtual hosts.
import type { Problem } from '../../contracts/problem.ts'
import { documentProblem, sourceLocation } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import type { GatewayListener } from '../model/gateway-kinds.ts'
import { gatewayGroup } from '../model/kinds.ts'
import { nearest } from '../model/nearest.ts'
import type { ParentReference } from '../model/route-kinds.ts'
import type { RouteDocument } from './backends.ts'
import { selectorMatches } from './document-index.ts'
import type { DocumentIndex } from './document-index.ts'
import { compareSpecificity, coversHostname, intersectHostnames } from './hostnames.ts'
import type { MeshGateway } from './mesh-snapshot.ts'
import { inOrderOfPrecedence } from './precedence.ts'
import type { RankedRoute } from './precedence.ts'
import type { RefusalReason, RouteAttachment } from './route-attachment.ts'
import { compareText } from './services.ts'
import { badCondition, gatewayControllerName, goodCondition } from './status.ts'
import type { Condition, DocumentStatus } from './status.ts'

type Gateway = ModelDocument<'Gateway'>

/** Gateways may name this class without a GatewayClass document. */
const builtInClass = 'heddle'

interface ListenerDraft {
  readonly listener: GatewayListener
  /** Why it is not served. */
  readonly fault: { readonly reason: string; readonly problem: Problem } | undefined
  readonly routesByHost: Map<string, RankedRoute[]>
  readonly attached: Set<string>
  /** Kind of the routes that have a hostname. */
  readonly kindByHost: Map<string, RouteDocument['kind']>
}

export interface CompiledGateways {
  /** By "namespace/name", sorted. */
  readonly gateways: ReadonlyMap<string, MeshGateway>
  readonly statuses: ReadonlyMap<string, DocumentStatus>
}

export function compileGateways(index: DocumentIndex, attachment: RouteAttachment): CompiledGateways {
  const drafts = new Map<Gateway, readonly ListenerDraft[]>()
  const portOwners = new Map<number, Gateway>()
  for (const gateway of index.all('Gateway').toSorted((a, b) => compareText(a.id, b.id))) {
    if (!isOurs(gateway, index, attachment)) continue
    drafts.set(
      gateway,
      gateway.spec.listeners.map((listener, position) =>
        listenerDraft(gateway, listener, position, portOwners, attachment),
      ),
    )
  }
  // of two kinds that want one hostname the older route has it (GRPCRouteSpec.hostnames)
  const routes: readonly RouteDocument[] = [...index.all('HTTPRoute'), ...index.all('GRPCRoute')].toSorted(compareAge)
  for (const route of routes)
    for (const [position, parentRef] of route.spec.parentRefs.entries())
      if (parentRef.group === gatewayGroup && parentRef.kind === 'Gateway')
        attach(route, position, index, drafts, attachment)
  const gateways = new Map<string, MeshGateway>()
  const statuses = new Map<string, DocumentStatus>()
  for (const [gateway, listeners] of drafts) {
    gateways.set(`${gateway.namespace}/${gateway.name}`, meshGateway(gateway, listeners))
    statuses.set(gateway.id, gatewayStatus(listeners))
  }
  return { gateways, statuses }
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

function listenerDraft(
  gateway: Gateway,
  listener: GatewayListener,
  position: number,
  portOwners: Map<number, Gateway>,
  attachment: RouteAttachment,
): ListenerDraft {
  const draft: Omit<ListenerDraft, 'fault'> = {
    listener,
    routesByHost: new Map(),
    attached: new Set<string>(),
    kindByHost: new Map(),
  }
  const path = ['spec', 'listeners', position]
  const refused = (reason: string, problem: Problem): ListenerDraft => {
    attachment.problems.add(problem)
    return { ...draft, fault: { reason, problem } }
  }
  if (listener.protocol !== 'HTTP') {
    const message = `listeners of protocol ${listener.protocol} are not supported`
    const problem = documentProblem(gateway, 'HDL010', 'error', [...path, 'protocol'], message, 'Use HTTP.')
    return refused('UnsupportedProtocol', problem)
  }
  const owner = portOwners.get(listener.port)
  if (owner !== undefined && owner !== gateway) {
    const message = `port ${listener.port} belongs to ${owner.id} already`
    const hint = 'Give the listener another port.'
    return refused('PortUnavailable', documentProblem(gateway, 'HDL011', 'error', [...path, 'port'], message, hint))
  }
  portOwners.set(listener.port, gateway)
  return { ...draft, fault: undefined }
}

const refusalCodes: Readonly<Partial<Record<RefusalReason, Problem['code']>>> = {
  NotAllowedByListeners: 'HDL009',
  Conflicted: 'HDL012',
}

function attach(
  route: RouteDocument,
  position: number,
  index: DocumentIndex,
  drafts: ReadonlyMap<Gateway, readonly ListenerDraft[]>,
  attachment: RouteAttachment,
): void {
  const parentRef = route.spec.parentRefs[position] as ParentReference
  const path = ['spec', 'parentRefs', position]
  const namespace = parentRef.namespace ?? route.namespace
  const gateway = index.get('Gateway', namespace, parentRef.name)
  const refuse = (reason: RefusalReason, field: string, message: string, hint?: string): void => {
    const code = refusalCodes[reason] ?? 'HDL008'
    const problem = documentProblem(route, code, 'error', [...path, field], message, hint)
    attachment.refuse(route, parentRef, undefined, reason, problem)
  }
  if (gateway === undefined) {
    const meant = nearest(parentRef.name, index.names('Gateway', namespace))
    const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
    refuse('NoMatchingParent', 'name', `there is no Gateway "${parentRef.name}" in namespace ${namespace}`, hint)
    return
  }
  const listeners = drafts.get(gateway)
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
  const allowing = named.filter(({ listener }) => allows(listener, route, gateway, index))
  if (allowing.length === 0) {
    const message = `no listener of Gateway ${namespace}/${parentRef.name} allows a ${route.kind} from namespace ${route.namespace}`
    refuse('NotAllowedByListeners', 'name', message, "Widen the listener's allowedRoutes.")
    return
  }
  const places = allowing.flatMap((draft) => {
    const hostnames = intersection(draft.listener.hostname ?? '*', route.spec.hostnames)
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
  const ranked = attachment.accept(route, parentRef, undefined)
  for (const { draft, hostnames } of free) {
    draft.attached.add(route.id)
    for (const hostname of hostnames) draft.kindByHost.set(hostname, route.kind)
    for (const hostname of hostnames)
      draft.routesByHost.set(hostname, [...(draft.routesByHost.get(hostname) ?? []), ...ranked])
  }
}

function compareAge(a: RouteDocument, b: RouteDocument): number {
  return (
    compareText(a.metadata.creationTimestamp ?? '~', b.metadata.creationTimestamp ?? '~') ||
    compareText(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`)
  )
}

function isConflict(route: RouteDocument, hostnames: readonly string[], { kindByHost }: ListenerDraft): boolean {
  return [...kindByHost].some(
    ([host, kind]) =>
      kind !== route.kind && hostnames.some((hostname) => intersectHostnames(host, hostname) !== undefined),
  )
}

function allows(listener: GatewayListener, route: RouteDocument, gateway: Gateway, index: DocumentIndex): boolean {
  const { namespaces, kinds } = listener.allowedRoutes
  const kindAllowed =
    kinds.length === 0 || kinds.some(({ group, kind }) => group === gatewayGroup && kind === route.kind)
  if (!kindAllowed) return false
  const { from, selector } = namespaces
  if (from === 'Selector')
    return selector !== undefined && selectorMatches(selector, index.namespaceLabels(route.namespace))
  return from === 'All' || route.namespace === gateway.namespace
}

function intersection(listenerHostname: string, routeHostnames: readonly string[]): string[] {
  if (routeHostnames.length === 0) return [listenerHostname]
  return routeHostnames.flatMap((hostname) => intersectHostnames(listenerHostname, hostname) ?? [])
}

function meshGateway(gateway: Gateway, drafts: readonly ListenerDraft[]): MeshGateway {
  const served = drafts.filter((draft) => draft.fault === undefined)
  return {
    namespace: gateway.namespace,
    name: gateway.name,
    listeners: served.map(({ listener, routesByHost }) => ({
      name: listener.name,
      port: listener.port,
      ...(listener.hostname === undefined ? {} : { hostname: listener.hostname }),
      virtualHosts: virtualHosts(
        listener,
        routesByHost,
        served.map((draft) => draft.listener),
      ),
    })),
    source: sourceLocation(gateway),
  }
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

function gatewayStatus(listeners: readonly ListenerDraft[]): DocumentStatus {
  const served = listeners.filter((draft) => draft.fault === undefined)
  const programmed =
    served.length === 0
      ? badCondition('Programmed', 'Invalid', 'no listener can be served')
      : goodCondition('Programmed', 'the listeners are handed to the gateway')
  const accepted: Condition =
    served.length === listeners.length
      ? goodCondition('Accepted', 'the Gateway is in force')
      : { ...badCondition('Accepted', 'ListenersNotValid', 'some listeners cannot be served') }
  return {
    // one good listener is enough for the Gateway to be accepted
    conditions: [served.length === 0 ? accepted : { ...accepted, status: 'True' }, programmed],
    listeners: listeners.map(({ listener, fault, attached }) => ({
      name: listener.name,
      supportedKinds: ['HTTPRoute', 'GRPCRoute'].map((kind) => ({ group: gatewayGroup, kind })),
      attachedRoutes: attached.size,
      conditions:
        fault === undefined
          ? [
              goodCondition('Accepted', 'the listener is in force'),
              goodCondition('Programmed', 'the listener is handed to the gateway'),
              goodCondition('ResolvedRefs', 'every reference leads somewhere'),
              {
                type: 'Conflicted',
                status: 'False',
                reason: 'NoConflicts',
                message: 'no other listener is in its way',
              },
            ]
          : [
              badCondition('Accepted', fault.reason, fault.problem.message),
              badCondition('Programmed', 'Invalid', fault.problem.message),
            ],
    })),
  }
}
