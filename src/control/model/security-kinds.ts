// Who may call whom, and with which tokens: AuthorizationPolicy, RequestAuthentication. Both name workloads by labels or by targetRefs.
import { z } from 'zod'

import { authorizationSpecShape, checkAuthorizationSpec } from '../../policies/authorization/authorization.schema.ts'
import type { AuthorizationPolicySpec } from '../../policies/authorization/authorization.spec.ts'
import { requestAuthenticationSpecShape } from '../../policies/request-authentication/request-authentication.schema.ts'
import type { RequestAuthenticationFields } from '../../policies/request-authentication/request-authentication.schema.ts'
import { groupNameSchema, objectNameSchema, ruleIssue } from '../../policies/scalars.schema.ts'
import { labelsSchema } from './core-kinds.ts'

/** Neither: every workload and gateway of the namespace, or of the mesh where the namespace is the root namespace. */
export interface PolicyScope {
  readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> }
  readonly targetRefs?: readonly {
    readonly group: string
    readonly kind: 'Gateway' | 'Service'
    readonly name: string
  }[]
}

export type AuthorizationPolicyDocument = AuthorizationPolicySpec & PolicyScope
export type RequestAuthenticationDocument = RequestAuthenticationFields & PolicyScope

const scopeShape = {
  selector: z.strictObject({ matchLabels: labelsSchema.default({}) }).exactOptional(),
  targetRefs: z
    .array(
      z.strictObject({
        group: groupNameSchema.default(''),
        kind: z.enum(['Gateway', 'Service']),
        name: objectNameSchema,
      }),
    )
    .min(1)
    .max(16)
    .exactOptional(),
}

type Check = (ctx: z.core.ParsePayload) => void

/** The fields of a document whose spec has these beside those that say where it applies. */
function scoped(shape: z.ZodRawShape, ...checks: readonly Check[]): z.ZodRawShape {
  const spec = z.strictObject({ ...shape, ...scopeShape }).check(checkScope, ...checks)
  return { spec: spec.default(z.strictObject({ ...shape, ...scopeShape }).parse({})) }
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

export const authorizationPolicyFields: z.ZodRawShape = scoped(
  authorizationSpecShape,
  checkAuthorizationSpec as Check,
  checkSupported as Check,
)
export const requestAuthenticationFields: z.ZodRawShape = scoped(requestAuthenticationSpecShape)
