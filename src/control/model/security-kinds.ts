// Who may call whom, and with which tokens: AuthorizationPolicy, RequestAuthentication. Both name workloads by labels or by targetRefs.
import { z } from 'zod'

import { authorizationSpecShape, checkAuthorizationSpec } from '../../policies/authorization/authorization.schema.ts'
import type { AuthorizationPolicySpec } from '../../policies/authorization/authorization.spec.ts'
import { asksAboutCaller } from '../../policies/authorization/condition-expression.schema.ts'
import { requestAuthenticationSpecShape } from '../../policies/request-authentication/request-authentication.schema.ts'
import type { RequestAuthenticationFields } from '../../policies/request-authentication/request-authentication.schema.ts'
import { groupNameSchema, objectNameSchema, ruleIssue } from '../../policies/scalars.schema.ts'
import { labelsSchema } from './core-kinds.ts'

/** Neither: every workload and gateway of the namespace, or of the mesh where the namespace is the root namespace. */
export interface PolicyScope {
  readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> }
  readonly targetRefs?: readonly {
    readonly group: string
    readonly kind: 'Gateway' | 'Service' | 'ExternalService'
    readonly name: string
  }[]
}

export type AuthorizationPolicyDocument = AuthorizationPolicySpec & PolicyScope
export type RequestAuthenticationDocument = RequestAuthenticationFields & PolicyScope

function scopeShape(kinds: readonly string[]): z.ZodRawShape {
  return {
    selector: z.strictObject({ matchLabels: labelsSchema.default({}) }).exactOptional(),
    targetRefs: z
      .array(z.strictObject({ group: groupNameSchema.default(''), kind: z.enum(kinds), name: objectNameSchema }))
      .min(1)
      .max(16)
      .exactOptional(),
  }
}

type Check = (ctx: z.core.ParsePayload) => void

/** The fields of a document whose spec has these beside those that say where it applies. */
export function scoped(shape: z.ZodRawShape, kinds: readonly string[], ...checks: readonly Check[]): z.ZodRawShape {
  const whole = z.strictObject({ ...shape, ...scopeShape(kinds) })
  return { spec: whole.check(checkScope, ...checks).default(whole.parse({})) }
}

function checkScope(ctx: z.core.ParsePayload<PolicyScope>): void {
  const { selector, targetRefs } = ctx.value
  if (selector !== undefined && targetRefs !== undefined)
    ctx.issues.push(ruleIssue(ctx.value, ['targetRefs'], 'selector and targetRefs exclude each other'))
}

function checkSupported(ctx: z.core.ParsePayload<AuthorizationPolicySpec>): void {
  const { action, dryRun, reauthorize } = ctx.value
  if (action === 'CUSTOM' && dryRun)
    ctx.issues.push(ruleIssue(dryRun, ['dryRun'], 'a dry run of action CUSTOM is not supported', 'HDL010'))
  if (reauthorize && action === 'CUSTOM')
    ctx.issues.push(
      ruleIssue(reauthorize, ['reauthorize'], 'no authorization server is asked again about what is open', 'HDL010'),
    )
  if (reauthorize && action === 'AUDIT')
    ctx.issues.push(
      ruleIssue(reauthorize, ['reauthorize'], '"reauthorize" does not go with action AUDIT: it ends nothing'),
    )
}

/** At the caller's own proxy nobody else is asked, and where the name leads is not known yet. */
function checkEgress(ctx: z.core.ParsePayload<AuthorizationPolicyDocument>): void {
  const { action, rules, targetRefs, reauthorize } = ctx.value
  if (targetRefs?.some(({ kind }) => kind === 'ExternalService') !== true) return
  if (action === 'CUSTOM')
    ctx.issues.push(ruleIssue(action, ['action'], 'action CUSTOM is not supported for an ExternalService', 'HDL010'))
  if (reauthorize) {
    const message = 'what has left for an ExternalService is not asked about again'
    ctx.issues.push(ruleIssue(reauthorize, ['reauthorize'], message, 'HDL010'))
  }
  for (const [rule, { when = [], condition }] of (rules ?? []).entries()) {
    if (condition !== undefined && asksAboutCaller(condition)) {
      const message = 'a condition about the caller is not supported for an ExternalService: write it in "from"'
      ctx.issues.push(ruleIssue(condition, ['rules', rule, 'condition'], message, 'HDL010'))
    }
    for (const [position, { key }] of when.entries())
      if (key === 'destination.ip') {
        const message = 'destination.ip is not known before an ExternalService is dialled'
        ctx.issues.push(ruleIssue(key, ['rules', rule, 'when', position, 'key'], message, 'HDL010'))
      }
  }
}

export const authorizationPolicyFields: z.ZodRawShape = scoped(
  authorizationSpecShape,
  ['Gateway', 'Service', 'ExternalService'],
  checkAuthorizationSpec as Check,
  checkSupported as Check,
  checkEgress as Check,
)
export const requestAuthenticationFields: z.ZodRawShape = scoped(requestAuthenticationSpecShape, ['Gateway', 'Service'])
