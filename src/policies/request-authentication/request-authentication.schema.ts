// The fields of a RequestAuthentication's spec beside whom it is for, as Istio's users write them, and their translation to rules.
import { z } from 'zod'

import { durationMs, durationSchema, foldCase, headerNameSchema, ruleIssue } from '../scalars.schema.ts'
import { jwksFault } from './inline-jwks.schema.ts'
import type { ClaimHeader, JwtRule, TokenHeader } from './request-authentication.spec.ts'

export interface JwtRuleFields {
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly jwks?: string
  readonly jwksUri?: string
  readonly timeout: string
  readonly fromHeaders: readonly TokenHeader[]
  readonly fromParams: readonly string[]
  readonly fromCookies: readonly string[]
  readonly outputPayloadToHeader?: string
  readonly forwardOriginalToken: boolean
  readonly outputClaimToHeaders: readonly ClaimHeader[]
}

export interface RequestAuthenticationFields {
  readonly jwtRules: readonly JwtRuleFields[]
}

/** Those that say where the message ends and whom it is for: a claim must not. */
const framingHeaders = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'te',
  'trailer',
  'upgrade',
])

const outputHeaderSchema = headerNameSchema.refine(
  (name) => !framingHeaders.has(foldCase(name)),
  'This header belongs to the message itself: choose one of its own, such as "x-jwt-claim"',
)

const jwtRuleSchema: z.ZodType<JwtRuleFields> = z
  .strictObject({
    issuer: z.string().min(1).max(2048),
    audiences: z.array(z.string().min(1).max(2048)).max(64).default([]),
    jwks: z.string().exactOptional(),
    jwksUri: z.string().max(2048).exactOptional(),
    timeout: durationSchema.default('5s'),
    fromHeaders: z
      .array(
        z.strictObject({
          name: headerNameSchema,
          prefix: z
            .string()
            .max(256)
            .regex(/^[ -~]*$/, 'printable ASCII such as "Bearer "')
            .default(''),
        }),
      )
      .max(16)
      .default([]),
    fromParams: z
      .array(
        z
          .string()
          .max(256)
          .regex(/^[^\s&=#]+$/, 'a name of a parameter in the query'),
      )
      .max(16)
      .default([]),
    fromCookies: z.array(headerNameSchema).max(16).default([]),
    outputPayloadToHeader: outputHeaderSchema.exactOptional(),
    forwardOriginalToken: z.boolean().default(false),
    outputClaimToHeaders: z
      .array(z.strictObject({ header: outputHeaderSchema, claim: z.string().min(1).max(256) }))
      .max(64)
      .default([]),
  })
  .check(checkKeys, checkTimeout, checkOutputsDiffer)

/** Keys for a document's spec: `jwtRules`. */
export const requestAuthenticationSpecShape: z.ZodRawShape = {
  jwtRules: z.array(jwtRuleSchema).max(64).check(checkIssuers, checkOutputsAreNotInputs).default([]),
}

function checkKeys(ctx: z.core.ParsePayload<JwtRuleFields>): void {
  const { jwks, jwksUri } = ctx.value
  const issue = (field: string, message: string, code?: string): void => {
    ctx.issues.push(ruleIssue(undefined, [field], message, code))
  }
  if (jwks !== undefined && jwksUri !== undefined) issue('jwksUri', 'Give either "jwks" or "jwksUri", not both')
  if (jwks === undefined && jwksUri === undefined) {
    const message = '"jwksUri" or "jwks" is missing: keys are not looked for at the issuer (OpenID discovery)'
    issue('jwksUri', `${message}. Its "/.well-known/openid-configuration" names them as "jwks_uri"`, 'HDL006')
  }
  const fault = jwks === undefined ? undefined : jwksFault(jwks)
  if (fault !== undefined) issue('jwks', `The text of "jwks" ${fault}`)
  if (jwksUri !== undefined) {
    const url = URL.parse(jwksUri)
    // The value is not shown: it may hold a password
    if (url === null || !['http:', 'https:'].includes(url.protocol))
      issue('jwksUri', '"jwksUri" must be an http or https URL such as "https://issuer.example/jwks.json"')
    else if (url.username !== '' || url.password !== '')
      issue('jwksUri', '"jwksUri" must not hold a user or password: everybody who sees the document sees them')
  }
}

function checkTimeout(ctx: z.core.ParsePayload<JwtRuleFields>): void {
  if (durationMs(ctx.value.timeout) === 0)
    ctx.issues.push(ruleIssue(ctx.value.timeout, ['timeout'], '"timeout" must be more than 0'))
}

function checkOutputsDiffer(ctx: z.core.ParsePayload<JwtRuleFields>): void {
  const { outputPayloadToHeader, outputClaimToHeaders } = ctx.value
  const seen = new Set(outputPayloadToHeader === undefined ? [] : [foldCase(outputPayloadToHeader)])
  for (const [index, { header }] of outputClaimToHeaders.entries()) {
    const message = `Something else is written to the header "${header}" already`
    if (seen.has(foldCase(header)))
      ctx.issues.push(ruleIssue(header, ['outputClaimToHeaders', index, 'header'], message, 'HDL007'))
    seen.add(foldCase(header))
  }
}

function checkIssuers(ctx: z.core.ParsePayload<readonly JwtRuleFields[]>): void {
  for (const [index, { issuer }] of ctx.value.entries())
    if (ctx.value.findIndex((other) => other.issuer === issuer) < index)
      ctx.issues.push(ruleIssue(issuer, [index, 'issuer'], `The issuer "${issuer}" has a rule already`, 'HDL007'))
}

/** What a caller sends in an output header is removed first: a token there would never be found. */
function checkOutputsAreNotInputs(ctx: z.core.ParsePayload<readonly JwtRuleFields[]>): void {
  const inputs = new Set(ctx.value.flatMap(inputHeaders))
  const check = (header: string | undefined, ...path: PropertyKey[]): void => {
    if (header === undefined || !inputs.has(foldCase(header))) return
    ctx.issues.push(ruleIssue(header, path, `Tokens are read from the header "${header}": write to another one`))
  }
  for (const [rule, { outputPayloadToHeader, outputClaimToHeaders }] of ctx.value.entries()) {
    check(outputPayloadToHeader, rule, 'outputPayloadToHeader')
    for (const [index, { header }] of outputClaimToHeaders.entries())
      check(header, rule, 'outputClaimToHeaders', index, 'header')
  }
}

function inputHeaders({ fromHeaders, fromParams, fromCookies }: JwtRuleFields): string[] {
  if (fromHeaders.length + fromParams.length + fromCookies.length === 0) return ['authorization']
  return [...fromHeaders.map(({ name }) => foldCase(name)), ...(fromCookies.length === 0 ? [] : ['cookie'])]
}

export function toJwtRules({ jwtRules }: RequestAuthenticationFields): JwtRule[] {
  return jwtRules.map(({ timeout, ...rule }) => ({ ...rule, timeoutMs: durationMs(timeout) }))
}
