// What the proxy does with a request, as a value: the request line acts on it, explain and replay show it. Pure but for the given Random.
import type { ResponseFlag } from '../../contracts/decision-record.ts'
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { Clock } from '../../core/clock.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { Random } from '../../core/random.ts'
import type { Authorizer } from '../../policies/authorization/authorization.runtime.ts'
import type { FaultInjector } from '../../policies/faults/faults.runtime.ts'
import type { HeaderModifier } from '../../policies/header-modifier/header-modifier.runtime.ts'
import type { RequestHasher } from '../../policies/load-balancing/hash-policy.runtime.ts'
import { createMatchInput } from '../../policies/route-match/route-match.runtime.ts'
import type { Session, SessionKeeper } from '../../policies/session-persistence/session-persistence.runtime.ts'
import type { SplitDraw } from '../../policies/traffic-split/traffic-split.runtime.ts'
import type { CompiledRouteConfiguration } from '../route/compiled-route-configuration.ts'
import type { CompiledBackend, CompiledForward, CompiledRoute, RouteSessions } from '../route/compiled-route.ts'
import type { Backend, DocumentFilterConfig, ForwardAction, Route } from './runtime-config.ts'

export interface ForwardDecision {
  readonly kind: 'forward'
  readonly routeConfiguration: string
  readonly virtualHost: string
  readonly route: Route
  readonly action: ForwardAction
  readonly cluster: string
  readonly backend: Backend
  /** Has the last word, on the request as it came. Undefined: nobody has. */
  readonly authorizer: Authorizer | undefined
  /** Absent when there was only one backend to choose. */
  readonly split: { readonly drawn: number; readonly total: number; readonly cluster: string } | undefined
  /** As the route found it: received, or what its filters made of that. */
  readonly routed: RequestHead
  /** The head to send upstream: a modified clone, the received one stays as it was. */
  readonly request: RequestHead
  /** What the request may suffer before it is sent, to be drawn when it is acted upon. */
  readonly faults: FaultInjector | undefined
  /** Clusters that get a copy of `request`. */
  readonly mirrors: readonly string[]
  /** What tells requests apart within a cluster that hashes; to be asked about `routed`. */
  readonly hasher: RequestHasher | undefined
  /** What the request chooses by among the labels of the endpoints; undefined: nothing. */
  readonly subset: string | undefined
  /** Absent: sessions are not kept. */
  readonly session: KeptSession | undefined
  /** To be called once on the head that goes downstream, be it the upstream's or the proxy's own after a failure. */
  readonly modifyResponse: (response: ResponseHead) => void
}

export interface KeptSession {
  readonly keeper: SessionKeeper
  /** Undefined: one begins with this request. */
  readonly found: Session | undefined
}

export interface RespondDecision {
  readonly kind: 'respond'
  readonly status: number
  /** Complete but for framing. */
  readonly headers: HeaderList
  readonly body: string
  readonly flags: readonly ResponseFlag[]
  /** For the decision record: why the proxy answers itself. */
  readonly detail: string
  readonly routeConfiguration: string
  readonly virtualHost?: string
  readonly route?: Route
}

/** The route is found, and has filters that the request is to pass first. */
export interface FilterDecision {
  readonly kind: 'filter'
  readonly routeConfiguration: string
  readonly virtualHost: string
  readonly route: Route
  readonly filters: readonly DocumentFilterConfig[]
  /** Theirs to change: a clone of the received head. */
  readonly request: RequestHead
  /** With what they made of it. */
  readonly proceed: () => RoutedDecision
}

export type RoutedDecision = ForwardDecision | RespondDecision
export type Decision = FilterDecision | RoutedDecision

export function decide(
  request: RequestHead,
  routes: CompiledRouteConfiguration,
  random: Random,
  clock: Clock,
): Decision {
  const name = routes.config.name
  const host = routes.findVirtualHost(request.authority)
  if (host === undefined) {
    const detail = `no route: no virtual host of route configuration "${name}" is for "${request.authority}"`
    return answer(404, detail, { routeConfiguration: name }, ['NR'])
  }
  const virtualHost = host.virtualHost.name
  const input = createMatchInput(request)
  const compiled = host.findRoute(input)
  if (compiled === undefined) {
    // Without the query, which may hold secrets.
    const target = `${request.method} ${request.authority}${input.path}`
    const detail = `no route: none of the ${host.virtualHost.routes.length} routes of "${name}" matches ${target}`
    return answer(404, detail, { routeConfiguration: name, virtualHost }, ['NR'])
  }
  const place = { routeConfiguration: name, virtualHost, route: compiled.route }
  const preflight = compiled.cors?.preflight(request)
  if (preflight !== undefined) {
    return { ...answer(204, 'CORS preflight', place, []), headers: preflight, body: '' }
  }
  const { filters } = compiled.route
  if (filters === undefined) return follow(request, compiled, place, random, clock)
  const changed = cloneHead(request)
  const proceed = (): RoutedDecision => follow(changed, compiled, place, random, clock)
  return { kind: 'filter', ...place, filters, request: changed, proceed }
}

function follow(
  request: RequestHead,
  compiled: CompiledRoute,
  place: RoutePlace,
  random: Random,
  clock: Clock,
): RoutedDecision {
  const { action } = compiled
  if (action.kind === 'forward') return forward(request, compiled, action, place, random, clock)
  if (action.kind === 'direct-response') {
    const decision = answer(action.status, 'direct response', place, [])
    return finish({ ...decision, body: action.body }, request, compiled)
  }
  const headers = HeaderList.of(['location', action.location(request)])
  return finish({ ...answer(action.status, 'redirect', place, []), headers, body: '' }, request, compiled)
}

interface RoutePlace {
  readonly routeConfiguration: string
  readonly virtualHost: string
  readonly route: Route
}

function forward(
  received: RequestHead,
  compiled: CompiledRoute,
  action: CompiledForward,
  place: RoutePlace,
  random: Random,
  clock: Clock,
): RoutedDecision {
  const session = action.sessions === undefined ? undefined : findSession(received, action.sessions, clock)
  const sticky = session?.draw === undefined ? action.stickySplit?.(received, random) : undefined
  const draw = session?.draw ?? (sticky === undefined ? action.split(random) : notDrawn(sticky.item))
  // Gateway API HTTPRouteRule.backendRefs: a share without a valid backend answers 500, and so does a rule without backends.
  if (draw === undefined) {
    const detail = `route "${place.route.name}" has no backend with a weight above 0`
    return finish(answer(500, detail, place, []), received, compiled)
  }
  const { backend, modifyRequest, modifyResponse, authorizer, faults, subset } = draw.item
  if (backend.cluster === '') {
    const detail = `route "${place.route.name}" drew a backend that does not exist or may not be referred to`
    return finish(answer(action.action.invalidBackendStatus ?? 500, detail, place, []), received, compiled)
  }
  const request = cloneHead(received)
  action.rewrite?.(request)
  compiled.modifyRequest?.(request.headers)
  modifyRequest?.(request.headers)
  const single = draw.item.weight === draw.total
  return {
    kind: 'forward',
    routeConfiguration: place.routeConfiguration,
    virtualHost: place.virtualHost,
    route: place.route,
    action: action.action,
    cluster: backend.cluster,
    backend,
    authorizer,
    split: single ? undefined : { drawn: draw.drawn, total: draw.total, cluster: backend.cluster },
    routed: received,
    request,
    faults,
    mirrors: action.mirrors(random),
    hasher: action.hasher,
    subset: subset?.(received.headers),
    session: session?.kept,
    modifyResponse: withCookies(sticky?.setCookies, responseModifier(received, compiled, modifyResponse)),
  }
}

function cloneHead({ method, scheme, authority, path, headers }: RequestHead): RequestHead {
  return { method, scheme, authority, path, headers: headers.clone() }
}

/** A session stays with its backend, whatever is drawn. */
function findSession(
  request: RequestHead,
  { keeper, backends }: RouteSessions,
  clock: Clock,
): { readonly kept: KeptSession; readonly draw: SplitDraw<CompiledBackend> | undefined } {
  const found = keeper.find(request, clock)
  const backend = found === undefined ? undefined : backends.get(found.cluster)
  if (backend === undefined) return { kept: { keeper, found: undefined }, draw: undefined }
  return { kept: { keeper, found }, draw: notDrawn(backend) }
}

function notDrawn(item: CompiledBackend): SplitDraw<CompiledBackend> {
  return { item, drawn: 0, total: item.weight }
}

function nothing(): void {}

function responseModifier(
  received: RequestHead,
  { cors }: CompiledRoute,
  modify: HeaderModifier | undefined,
): (response: ResponseHead) => void {
  if (cors !== undefined) {
    return (response) => {
      modify?.(response.headers)
      cors.mark(received, response)
    }
  }
  return modify === undefined ? nothing : (response) => modify(response.headers)
}

function withCookies(
  setCookies: readonly string[] | undefined,
  modify: (response: ResponseHead) => void,
): (response: ResponseHead) => void {
  if (setCookies === undefined) return modify
  return (response) => {
    modify(response)
    for (const line of setCookies) response.headers.add('set-cookie', line)
  }
}

/** An answer through a route carries the route's response changes too, so that a page of another origin can read it. */
function finish(decision: RespondDecision, received: RequestHead, compiled: CompiledRoute): RespondDecision {
  responseModifier(received, compiled, compiled.modifyResponse)(decision)
  return decision
}

function answer(
  status: number,
  detail: string,
  place: Pick<RespondDecision, 'routeConfiguration' | 'virtualHost' | 'route'>,
  flags: readonly ResponseFlag[],
): RespondDecision {
  return { kind: 'respond', status, headers: new HeaderList(), body: `${detail}\n`, flags, detail, ...place }
}
