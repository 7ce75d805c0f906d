// Policies of what stands outside the mesh ↔ what the proxy of one caller does with requests (RBACPerRoute, of a cluster of a route) and with
// connections (network RBAC, of a virtual host) on their way there.
import type { Any } from '@bufbuild/protobuf/wkt'

import { FilterConfigSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { RBACPerRouteSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { RBACSchema as NetworkRbacSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { AppliedPolicy, RbacFilterSpec, RbacPolicy, RbacRules } from './authorization.spec.ts'
import { compileFilters, decodeFilter, encodeFilter } from './authorization.xds.ts'
import { forCaller, never } from './caller-fold.xds.ts'
import type { AuthorizationPlace } from './rule-matches.xds.ts'

/** `caller`: SPIFFE ID of the workload whose proxy enforces it. No certificate says it there: what asks for it is decided here. */
export interface EgressPlace extends Omit<AuthorizationPlace, 'defaultAction'> {
  readonly caller: string
}

export function egressFilters(policies: readonly AppliedPolicy[], place: EgressPlace): RbacFilterSpec[] {
  return compileFilters(policies, { ...place, defaultAction: 'ALLOW' }).map(({ enforced, shadow }) => ({
    ...(enforced === undefined ? {} : { enforced: rulesFor(enforced, policies, place.caller, false) }),
    ...(shadow === undefined ? {} : { shadow: rulesFor(shadow, policies, place.caller, true) }),
  }))
}

/** Whether the caller may send whatever it likes. */
export function allowsEverything(filters: readonly RbacFilterSpec[]): boolean {
  return filters.every(({ enforced }) => {
    if (enforced === undefined || enforced.action === 'LOG') return true
    if (enforced.action === 'DENY') return enforced.policies.length === 0
    return enforced.policies.some(
      ({ permissions, principals, condition }) =>
        condition === undefined &&
        permissions.some(({ kind }) => kind === 'any') &&
        principals.some(({ kind }) => kind === 'any'),
    )
  })
}

/** Rules for nobody are left out. Of a policy that allows this caller nothing one stays, so that a refusal can name it. */
function rulesFor(
  { action, policies: rules }: RbacRules,
  policies: readonly AppliedPolicy[],
  caller: string,
  dryRun: boolean,
): RbacRules {
  const mine = rules.flatMap((rule): RbacPolicy[] => {
    const principals = forCaller(rule.principals, caller)
    return principals.length === 0 ? [] : [{ ...rule, principals }]
  })
  if (action !== 'ALLOW') return { action, policies: mine }
  const others = policies.filter(
    ({ name, spec }) =>
      spec.action === 'ALLOW' && spec.dryRun === dryRun && !mine.some((rule) => rule.name.startsWith(`${name}/`)),
  )
  return { action, policies: [...mine, ...others.map(namesake)] }
}

/** Matches nothing. */
function namesake({ name, source, ruleSources }: AppliedPolicy): RbacPolicy {
  const place = ruleSources[0] ?? { ...source, rule: '0' }
  return { name: `${name}/0`, source: place, permissions: [{ kind: 'any' }], principals: [never] }
}

const actions = ['LOG', 'DENY', 'ALLOW'] as const
type Action = (typeof actions)[number]

/** One HTTP filter for each action: names of filters, and keys of their configuration on routes. */
export function egressFilterName(action: Action): string {
  return `heddle.egress.${action.toLowerCase()}`
}

function connectionFilterName(action: Action): string {
  return `heddle.egress_connection.${action.toLowerCase()}`
}

export const egressFilterNames: readonly string[] = actions.map(egressFilterName)
export const connectionFilterNames: readonly string[] = actions.map(connectionFilterName)

/** At most one filter of each action, in the order of evaluation. */
export function encodeEgress(filters: readonly RbacFilterSpec[]): Record<string, Any> {
  return Object.fromEntries(
    filters.map((filter) => [
      egressFilterName(actionOf(filter)),
      typedConfig(RBACPerRouteSchema, { rbac: encodeFilter(filter) }),
    ]),
  )
}

/** Undefined where nothing is decided. Throws an Error that says what cannot be served. */
export function decodeEgress(configs: Readonly<Record<string, Any>>): RbacFilterSpec[] | undefined {
  return decodeConfigs(configs, egressFilterName, (any, name) => {
    const { rbac } = readTypedConfig(any, RBACPerRouteSchema, name)
    if (rbac === undefined) throw new Error(`${name}: rbac is missing`)
    return decodeFilter(rbac, name)
  })
}

/** For the connections inside CONNECT that carry bytes. Optional: other data planes have no such step. */
export function encodeEgressConnections(filters: readonly RbacFilterSpec[]): Record<string, Any> {
  return Object.fromEntries(
    filters.map((filter) => {
      const config = typedConfig(NetworkRbacSchema, { ...encodeFilter(filter), statPrefix: 'egress' })
      const optional = typedConfig(FilterConfigSchema, { isOptional: true, config })
      return [connectionFilterName(actionOf(filter)), optional]
    }),
  )
}

/** Undefined where nothing is decided. Throws an Error that says what cannot be served. */
export function decodeEgressConnections(configs: Readonly<Record<string, Any>>): RbacFilterSpec[] | undefined {
  return decodeConfigs(configs, connectionFilterName, (any, name) => {
    const { config } = readTypedConfig(any, FilterConfigSchema, name)
    return decodeFilter(readTypedConfig(config, NetworkRbacSchema, name), name)
  })
}

function decodeConfigs(
  configs: Readonly<Record<string, Any>>,
  nameOf: (action: Action) => string,
  decode: (any: Any, name: string) => RbacFilterSpec,
): RbacFilterSpec[] | undefined {
  const found = actions.flatMap((action) => {
    const any = configs[nameOf(action)]
    return any === undefined ? [] : [decode(any, nameOf(action))]
  })
  return found.length === 0 ? undefined : found
}

function actionOf({ enforced, shadow }: RbacFilterSpec): Action {
  return (enforced ?? shadow)?.action ?? 'ALLOW'
}
