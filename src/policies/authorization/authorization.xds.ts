// Authorization policies ↔ RBAC filters, in the order of evaluation: AUDIT, DENY, ALLOW. CUSTOM asks another filter.
import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'

import type { SourceLocation } from '../../contracts/decision-record.ts'
import type { FilterSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { RBAC_Action, RBACSchema } from '../../contracts/xds/gen/envoy/config/rbac/v3/rbac_pb.ts'
import type { Policy, RBAC } from '../../contracts/xds/gen/envoy/config/rbac/v3/rbac_pb.ts'
import { RBACSchema as HttpRbacSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import type { RBAC as HttpRbac } from '../../contracts/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import type { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { RBACSchema as NetworkRbacSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import type { RBAC as NetworkRbac } from '../../contracts/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { AppliedPolicy, RbacFilterSpec, RbacPolicy, RbacRules } from './authorization.spec.ts'
import { decodeCondition, encodeCondition } from './condition-message.xds.ts'
import { decodePermission, decodePrincipal, encodePermission, encodePrincipal } from './rbac-message.xds.ts'
import { ruleMatches } from './rule-matches.xds.ts'
import type { AuthorizationPlace } from './rule-matches.xds.ts'

export type { AuthorizationPlace } from './rule-matches.xds.ts'

type HttpFilterInit = MessageInitShape<typeof HttpFilterSchema>
type NetworkFilterInit = MessageInitShape<typeof FilterSchema>

/** Names of the filters. */
export const authorizationFilterName = 'envoy.filters.http.rbac'
export const networkAuthorizationFilterName = 'envoy.filters.network.rbac'

export function encodeAuthorization(policies: readonly AppliedPolicy[], place: AuthorizationPlace): HttpFilterInit[] {
  return compileFilters(policies, place).map((filter) => ({
    name: authorizationFilterName,
    configType: { case: 'typedConfig', value: typedConfig(HttpRbacSchema, encodeFilter(filter)) },
  }))
}

/** Takes bytes for what they are, whatever `place.protocol` says. */
export function encodeNetworkAuthorization(
  policies: readonly AppliedPolicy[],
  place: AuthorizationPlace,
): NetworkFilterInit[] {
  return compileFilters(policies, { ...place, protocol: 'tcp' }).map(encodeNetworkFilter)
}

export function encodeNetworkFilter(filter: RbacFilterSpec): NetworkFilterInit {
  const value = typedConfig(NetworkRbacSchema, { ...encodeFilter(filter), statPrefix: 'authorization' })
  return { name: networkAuthorizationFilterName, configType: { case: 'typedConfig', value } }
}

/**
 * Decides only whether somebody else is asked (ext_authz): where a rule matches, the filter leaves its name under
 * `<prefix>shadow_effective_policy_id`.
 */
export function encodeAuthorizationQuestion(
  policies: readonly AppliedPolicy[],
  place: AuthorizationPlace,
  prefix: string,
): HttpFilterInit {
  const shadowRules = encodeRules(compileRules('DENY', policies, place))
  const value = typedConfig(HttpRbacSchema, { shadowRules, shadowRulesStatPrefix: prefix })
  return { name: authorizationFilterName, configType: { case: 'typedConfig', value } }
}

/** An HTTP filter or a network filter of a listener. */
interface FilterMessage {
  readonly configType: { readonly case: string | undefined; readonly value?: unknown }
}

/** Throws an Error that says what cannot be served. */
export function decodeAuthorization(filter: FilterMessage): RbacFilterSpec {
  return decodeFilter(
    readTypedConfig(configOf(filter), HttpRbacSchema, authorizationFilterName),
    authorizationFilterName,
  )
}

/** Under which name the filter leaves what its shadow rules find; "" for no name of its own. */
export function shadowPrefixOf(filter: FilterMessage): string {
  return readTypedConfig(configOf(filter), HttpRbacSchema, authorizationFilterName).shadowRulesStatPrefix
}

/** Throws an Error that says what cannot be served. */
export function decodeNetworkAuthorization(filter: FilterMessage): RbacFilterSpec {
  const name = networkAuthorizationFilterName
  return decodeFilter(readTypedConfig(configOf(filter), NetworkRbacSchema, name), name)
}

function configOf({ configType }: FilterMessage): Any | undefined {
  return configType.case === 'typedConfig' ? (configType.value as Any) : undefined
}

const actions = ['AUDIT', 'DENY', 'ALLOW'] as const

export function compileFilters(policies: readonly AppliedPolicy[], place: AuthorizationPlace): RbacFilterSpec[] {
  return actions.flatMap((action) => {
    const ofAction = policies.filter(({ spec }) => spec.action === action)
    const enforced = ofAction.filter(({ spec }) => !spec.dryRun)
    const shadow = ofAction.filter(({ spec }) => spec.dryRun)
    const byDefault = action === 'ALLOW' && place.defaultAction === 'DENY'
    const filter: RbacFilterSpec = {
      ...(enforced.length > 0 || byDefault ? { enforced: compileRules(action, enforced, place) } : {}),
      ...(shadow.length > 0 ? { shadow: compileRules(action, shadow, place) } : {}),
    }
    return filter.enforced === undefined && filter.shadow === undefined ? [] : [filter]
  })
}

function compileRules(
  action: (typeof actions)[number],
  policies: readonly AppliedPolicy[],
  place: AuthorizationPlace,
): RbacRules {
  return {
    action: action === 'AUDIT' ? 'LOG' : action,
    policies: policies.flatMap((policy) =>
      (policy.spec.rules ?? []).flatMap((rule, index): RbacPolicy[] => {
        const matches = ruleMatches(rule, policy, place)
        const source = policy.ruleSources[index]
        return matches === undefined
          ? []
          : [{ name: `${policy.name}/${index}`, ...(source === undefined ? {} : { source }), ...matches }]
      }),
    ),
  }
}

export interface FilterInit {
  rules?: RBAC
  shadowRules?: RBAC
}

export function encodeFilter({ enforced, shadow }: RbacFilterSpec): FilterInit {
  return {
    ...(enforced === undefined ? {} : { rules: encodeRules(enforced) }),
    ...(shadow === undefined ? {} : { shadowRules: encodeRules(shadow) }),
  }
}

function encodeRules({ action, policies }: RbacRules): RBAC {
  return create(RBACSchema, {
    action: RBAC_Action[action],
    policies: Object.fromEntries(
      policies.map((policy) => [
        policyKey(policy),
        {
          permissions: policy.permissions.map(encodePermission),
          principals: policy.principals.map(encodePrincipal),
          // every Envoy evaluates this one
          ...(policy.condition === undefined ? {} : { condition: encodeCondition(policy.condition) }),
        },
      ]),
    ),
  })
}

/** Where the rule was written goes with its name: the message has no field for it. */
function policyKey({ name, source }: RbacPolicy): string {
  return source?.file === undefined ? name : `${name} @ ${source.file}:${source.line}:${source.column}`
}

/** Throws an Error that says what cannot be served. */
export function decodeFilter(message: HttpRbac | NetworkRbac, place: string): RbacFilterSpec {
  const { rules, shadowRules, matcher, shadowMatcher } = message
  if (matcher !== undefined || shadowMatcher !== undefined) {
    throw new Error(`${place}: matcher and shadow_matcher are not supported: use rules and shadow_rules`)
  }
  return {
    ...(rules === undefined ? {} : { enforced: decodeRules(rules, place) }),
    ...(shadowRules === undefined ? {} : { shadow: decodeRules(shadowRules, place) }),
  }
}

const actionNames = { [RBAC_Action.ALLOW]: 'ALLOW', [RBAC_Action.DENY]: 'DENY', [RBAC_Action.LOG]: 'LOG' } as const

function decodeRules({ action, policies }: RBAC, place: string): RbacRules {
  const name = actionNames[action as keyof typeof actionNames] as RbacRules['action'] | undefined
  if (name === undefined) throw new Error(`${place}: action ${action} is not supported: expected ALLOW, DENY or LOG`)
  return { action: name, policies: Object.entries(policies).map(([key, policy]) => decodePolicy(key, policy, place)) }
}

function decodePolicy(key: string, message: Policy, place: string): RbacPolicy {
  const { permissions, principals, condition, checkedCondition } = message
  const here = `${place}: policy "${key}"`
  if (condition !== undefined && checkedCondition !== undefined)
    throw new Error(`${here}: condition and checked_condition exclude each other`)
  // Without its condition the policy would match more than it says.
  if (checkedCondition !== undefined && checkedCondition.expr === undefined)
    throw new Error(`${here}: checked_condition: is not complete`)
  const expression = condition ?? checkedCondition?.expr
  return {
    ...decodePolicyKey(key),
    ...(expression === undefined ? {} : { condition: decodeCondition(expression, here) }),
    permissions: permissions.map((permission) => decodePermission(permission, here)),
    principals: principals.map((principal) => decodePrincipal(principal, here)),
  }
}

function decodePolicyKey(key: string): { name: string; source?: SourceLocation } {
  const [, name, file, line, column] = /^(.*?) @ (.+):(\d+):(\d+)$/s.exec(key) ?? []
  if (name === undefined || file === undefined) return { name: key }
  const slash = name.lastIndexOf('/')
  const whose = slash === -1 ? { document: name } : { document: name.slice(0, slash), rule: name.slice(slash + 1) }
  return { name, source: { ...whose, file, line: Number(line), column: Number(column) } }
}
