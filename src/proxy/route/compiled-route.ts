// One route with everything prebuilt that a request through it needs: closures instead of specs, undefined where there is nothing to do.
import type { RequestHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { Random } from '../../core/random.ts'
import { createAuthorizer, type Authorizer } from '../../policies/authorization/authorization.runtime.ts'
import { compileCors, type Cors } from '../../policies/cors/cors.runtime.ts'
import { FaultInjector } from '../../policies/faults/faults.runtime.ts'
import { compileHeaderModifier, type HeaderModifier } from '../../policies/header-modifier/header-modifier.runtime.ts'
import { compileHashPolicies, type RequestHasher } from '../../policies/load-balancing/hash-policy.runtime.ts'
import { compileSubsetChoice, type SubsetChoice } from '../../policies/load-balancing/subsets.runtime.ts'
import { compileMirrors } from '../../policies/mirror/mirror.runtime.ts'
import { compileRedirect } from '../../policies/redirect/redirect.runtime.ts'
import { compileRewrite, type RequestRewriter } from '../../policies/rewrite/rewrite.runtime.ts'
import { compileRouteMatch, type RouteMatcher } from '../../policies/route-match/route-match.runtime.ts'
import {
  compileSessionPersistence,
  sessionKey,
  type SessionKeeper,
} from '../../policies/session-persistence/session-persistence.runtime.ts'
import { compileStickySplit, type StickySplit } from '../../policies/traffic-split/sticky-split.runtime.ts'
import { compileSplit, type SplitDraw } from '../../policies/traffic-split/traffic-split.runtime.ts'
import type { Backend, ForwardAction, Route } from '../runtime/runtime-config.ts'

export interface CompiledRoute {
  readonly route: Route
  readonly matches: RouteMatcher
  readonly cors: Cors | undefined
  readonly modifyRequest: HeaderModifier | undefined
  readonly modifyResponse: HeaderModifier | undefined
  readonly action: CompiledAction
}

export type CompiledAction =
  | CompiledForward
  | { readonly kind: 'redirect'; readonly status: number; readonly location: (request: RequestHead) => string }
  | { readonly kind: 'direct-response'; readonly status: number; readonly body: string }

export interface CompiledForward {
  readonly kind: 'forward'
  readonly action: ForwardAction
  readonly rewrite: RequestRewriter | undefined
  readonly split: (random: Random) => SplitDraw<CompiledBackend> | undefined
  /** Comes before `split`. */
  readonly stickySplit: StickySplit<CompiledBackend> | undefined
  readonly mirrors: (random: Random) => readonly string[]
  readonly hasher: RequestHasher | undefined
  readonly sessions: RouteSessions | undefined
}

export interface RouteSessions {
  readonly keeper: SessionKeeper
  /** By `sessionKey`: those that get traffic. */
  readonly backends: ReadonlyMap<string, CompiledBackend>
}

export interface CompiledBackend {
  readonly backend: Backend
  readonly weight: number
  readonly modifyRequest: HeaderModifier | undefined
  /** The backend's changes, then the route's: the nearer to the caller has the last word. */
  readonly modifyResponse: HeaderModifier | undefined
  /** Undefined: every request goes there. */
  readonly authorizer: Authorizer | undefined
  readonly faults: FaultInjector | undefined
  /** Undefined: nothing chooses among its endpoints. */
  readonly subset: SubsetChoice | undefined
}

/** Throws an Error when some part cannot be compiled: a regular expression, a header line. */
export function compileRoute(route: Route): CompiledRoute {
  const modifyResponse = compileHeaderModifier(route.responseHeaders)
  return {
    route,
    matches: compileRouteMatch(route.match),
    cors: route.cors === undefined ? undefined : compileCors(route.cors),
    modifyRequest: compileHeaderModifier(route.requestHeaders),
    modifyResponse,
    action: compileAction(route, modifyResponse),
  }
}

function compileAction({ action, match }: Route, modifyResponse: HeaderModifier | undefined): CompiledAction {
  if (action.kind === 'redirect') {
    const location = compileRedirect(action.redirect, match.path)
    return { kind: 'redirect', status: action.redirect.statusCode, location }
  }
  if (action.kind === 'direct-response') return { kind: action.kind, status: action.status, body: action.body ?? '' }
  const backends = action.backends.map((backend) => compileBackend(backend, modifyResponse))
  return {
    kind: 'forward',
    action,
    rewrite: action.rewrite === undefined ? undefined : compileRewrite(action.rewrite, match.path),
    split: compileSplit(backends),
    stickySplit:
      action.stickySplit === undefined
        ? undefined
        : compileStickySplit(backends, action.stickySplit, ({ backend }) => backend.cluster),
    mirrors: compileMirrors(action.mirrors),
    hasher: action.hashPolicies === undefined ? undefined : compileHashPolicies(action.hashPolicies),
    sessions: compileSessions(action, backends),
  }
}

function compileSessions(
  { sessionPersistence }: ForwardAction,
  backends: readonly CompiledBackend[],
): RouteSessions | undefined {
  if (sessionPersistence === undefined) return undefined
  const live = backends.filter(({ weight, backend }) => weight > 0 && backend.cluster !== '')
  return {
    keeper: compileSessionPersistence(sessionPersistence),
    backends: new Map(live.map((one) => [sessionKey(one.backend.cluster), one])),
  }
}

function compileBackend(backend: Backend, routeModifier: HeaderModifier | undefined): CompiledBackend {
  return {
    backend,
    weight: backend.weight,
    modifyRequest: compileHeaderModifier(backend.requestHeaders),
    modifyResponse: inTurn(compileHeaderModifier(backend.responseHeaders), routeModifier),
    authorizer: backend.authorization === undefined ? undefined : createAuthorizer(backend.authorization),
    faults: backend.faults === undefined ? undefined : new FaultInjector(backend.faults),
    subset: backend.subsetKeys === undefined ? undefined : compileSubsetChoice(backend.subsetKeys),
  }
}

function inTurn(first: HeaderModifier | undefined, second: HeaderModifier | undefined): HeaderModifier | undefined {
  if (first === undefined) return second
  if (second === undefined) return first
  return (headers: HeaderList) => {
    first(headers)
    second(headers)
  }
}
