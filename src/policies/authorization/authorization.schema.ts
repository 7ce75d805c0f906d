// An AuthorizationPolicy's own fields as written. What it applies to is the document's.
import { z } from 'zod'

import { ruleIssue } from '../scalars.schema.ts'
import type { AuthorizationPolicySpec } from './authorization.spec.ts'
import { conditionExpressionSchema } from './condition-expression.schema.ts'
import { conditionSchema } from './condition.schema.ts'
import {
  hostValue,
  ipBlockValue,
  methodValue,
  namespaceValue,
  pathValue,
  portValue,
  serviceAccountValue,
  textValue,
  valueList,
} from './values.schema.ts'

const sourceFields = {
  principals: valueList(textValue),
  notPrincipals: valueList(textValue),
  requestPrincipals: valueList(textValue),
  notRequestPrincipals: valueList(textValue),
  namespaces: valueList(namespaceValue),
  notNamespaces: valueList(namespaceValue),
  serviceAccounts: valueList(serviceAccountValue),
  notServiceAccounts: valueList(serviceAccountValue),
  ipBlocks: valueList(ipBlockValue),
  notIpBlocks: valueList(ipBlockValue),
  remoteIpBlocks: valueList(ipBlockValue),
  notRemoteIpBlocks: valueList(ipBlockValue),
}

const operationFields = {
  hosts: valueList(hostValue),
  notHosts: valueList(hostValue),
  ports: valueList(portValue),
  notPorts: valueList(portValue),
  methods: valueList(methodValue),
  notMethods: valueList(methodValue),
  paths: valueList(pathValue),
  notPaths: valueList(pathValue),
}

/** An empty list or object would match everything, which hardly anybody means by it. */
function checkNotEmpty(ctx: z.core.ParsePayload<object>): void {
  if (ctx.issues.length === 0 && Object.keys(ctx.value).length === 0)
    ctx.issues.push(
      ruleIssue(ctx.value, [], 'at least one field must be given: leave the list out to match everything'),
    )
}

const otherPeerFields = ['principals', 'notPrincipals', 'namespaces', 'notNamespaces'] as const

function checkServiceAccounts(ctx: z.core.ParsePayload<Readonly<Record<string, unknown>>>): void {
  const { serviceAccounts, notServiceAccounts } = ctx.value
  if (serviceAccounts === undefined && notServiceAccounts === undefined) return
  for (const field of otherPeerFields) {
    if (ctx.value[field] === undefined) continue
    const message = `"${field}" and service accounts exclude each other: a service account says its namespace`
    ctx.issues.push(ruleIssue(ctx.value, [field], message))
  }
}

const sourceSchema = z.strictObject(sourceFields).check(checkNotEmpty, checkServiceAccounts)
const operationSchema = z.strictObject(operationFields).check(checkNotEmpty)

const ruleSchema = z.strictObject({
  from: z
    .array(z.strictObject({ source: sourceSchema }))
    .min(1)
    .exactOptional(),
  to: z
    .array(z.strictObject({ operation: operationSchema }))
    .min(1)
    .exactOptional(),
  when: z.array(conditionSchema).min(1).exactOptional(),
  condition: conditionExpressionSchema.exactOptional(),
})

export const authorizationSpecShape: z.ZodRawShape = {
  action: z.enum(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM']).default('ALLOW'),
  rules: z.array(ruleSchema).exactOptional(),
  provider: z.strictObject({ name: z.string().min(1) }).exactOptional(),
  dryRun: z.boolean().default(false),
  reauthorize: z.boolean().default(false),
}

/** Of an object with `authorizationSpecShape`: CUSTOM and only CUSTOM has a provider. */
export function checkAuthorizationSpec(
  ctx: z.core.ParsePayload<{ readonly action?: unknown; readonly provider?: unknown }>,
): void {
  const { action, provider } = ctx.value
  if (action === 'CUSTOM' && provider === undefined)
    ctx.issues.push(ruleIssue(ctx.value, ['provider'], '"provider" is missing: the action is CUSTOM', 'HDL006'))
  if (action !== 'CUSTOM' && provider !== undefined)
    ctx.issues.push(ruleIssue(ctx.value, ['provider'], `"provider" does not go with action ${String(action)}`))
}

/** The own fields alone. */
export const authorizationSpecSchema: z.ZodType<AuthorizationPolicySpec> = z
  .strictObject(authorizationSpecShape)
  .check(checkAuthorizationSpec) as unknown as z.ZodType<AuthorizationPolicySpec>
