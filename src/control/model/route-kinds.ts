// HTTPRoute and GRPCRoute, composed from the policies' fragments, with the rules that span fields (the CEL rules of the CRDs).
import { z } from 'zod'

import { corsSchema } from '../../policies/cors/cors.schema.ts'
import type { CorsFilter } from '../../policies/cors/cors.schema.ts'
import { headerModifierSchema } from '../../policies/header-modifier/header-modifier.schema.ts'
import type { HeaderModifierFilter } from '../../policies/header-modifier/header-modifier.schema.ts'
import { requestMirrorSchema } from '../../policies/mirror/mirror.schema.ts'
import type { RequestMirrorFilter } from '../../policies/mirror/mirror.schema.ts'
import { requestRedirectSchema } from '../../policies/redirect/redirect.schema.ts'
import type { RequestRedirectFilter } from '../../policies/redirect/redirect.schema.ts'
import { retrySchema } from '../../policies/retries/retries.schema.ts'
import type { RouteRetry } from '../../policies/retries/retries.schema.ts'
import { urlRewriteSchema } from '../../policies/rewrite/rewrite.schema.ts'
import type { UrlRewriteFilter } from '../../policies/rewrite/rewrite.schema.ts'
import { grpcRouteMatchSchema } from '../../policies/route-match/grpc-match.schema.ts'
import type { GrpcRouteMatch } from '../../policies/route-match/grpc-match.schema.ts'
import { matchEverything, routeMatchSchema } from '../../policies/route-match/route-match.schema.ts'
import type { HttpRouteMatch } from '../../policies/route-match/route-match.schema.ts'
import {
  groupNameSchema,
  hostnameSchema,
  kindNameSchema,
  namespaceNameSchema,
  objectNameSchema,
  portSchema,
  ruleIssue,
  uniqueNames,
} from '../../policies/scalars.schema.ts'
import { sessionPersistenceSchema } from '../../policies/session-persistence/session-persistence.schema.ts'
import type { SessionPersistence } from '../../policies/session-persistence/session-persistence.schema.ts'
import { timeoutsSchema } from '../../policies/timeouts/timeouts.schema.ts'
import type { RouteTimeouts } from '../../policies/timeouts/timeouts.schema.ts'
import {
  backendReferenceFields,
  checkBackendPort,
  weightSchema,
} from '../../policies/traffic-split/traffic-split.schema.ts'
import type { BackendReference } from '../../policies/traffic-split/traffic-split.schema.ts'

export interface ParentReference {
  readonly group: string
  readonly kind: string
  readonly name: string
  /** Absent: the route's own. */
  readonly namespace?: string
  readonly sectionName?: string
  readonly port?: number
}

/** Of the route's namespace. */
export interface ExtensionReference {
  readonly group: string
  readonly kind: string
  readonly name: string
}

export interface RouteFilter {
  readonly type: string
  readonly requestHeaderModifier?: HeaderModifierFilter
  readonly responseHeaderModifier?: HeaderModifierFilter
  readonly requestMirror?: RequestMirrorFilter
  readonly requestRedirect?: RequestRedirectFilter
  readonly urlRewrite?: UrlRewriteFilter
  readonly cors?: CorsFilter
  readonly extensionRef?: ExtensionReference
}

export interface BackendRef extends BackendReference {
  readonly weight: number
  readonly filters: readonly RouteFilter[]
}

export interface HttpRouteRule {
  readonly name?: string
  readonly matches: readonly HttpRouteMatch[]
  readonly filters: readonly RouteFilter[]
  readonly backendRefs: readonly BackendRef[]
  readonly timeouts?: RouteTimeouts
  readonly retry?: RouteRetry
  readonly sessionPersistence?: SessionPersistence
}

export interface RouteSpec<Rule> {
  readonly parentRefs: readonly ParentReference[]
  readonly hostnames: readonly string[]
  readonly rules: readonly Rule[]
}

export type HttpRouteSpec = RouteSpec<HttpRouteRule>

export interface GrpcRouteRule {
  readonly name?: string
  readonly matches: readonly GrpcRouteMatch[]
  readonly filters: readonly RouteFilter[]
  readonly backendRefs: readonly BackendRef[]
  readonly sessionPersistence?: SessionPersistence
}

export type GrpcRouteSpec = RouteSpec<GrpcRouteRule>

const filterFields = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestMirror: 'requestMirror',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  CORS: 'cors',
  ExtensionRef: 'extensionRef',
  ExternalAuth: 'externalAuth',
} as const
type FilterType = keyof typeof filterFields

const grpcFilterTypes = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror', 'ExtensionRef'] as const
const unsupportedFilters: readonly string[] = ['ExternalAuth']
/** What one rule may have several of. */
const repeatable: readonly string[] = ['RequestMirror', 'ExtensionRef']

const extensionRefSchema: z.ZodType<ExtensionReference> = z.strictObject({
  group: groupNameSchema,
  kind: kindNameSchema,
  name: objectNameSchema,
})

function filterSchema(types: readonly FilterType[]): z.ZodType<RouteFilter> {
  return z
    .strictObject({
      type: z.enum(types),
      requestHeaderModifier: headerModifierSchema.exactOptional(),
      responseHeaderModifier: headerModifierSchema.exactOptional(),
      requestMirror: requestMirrorSchema.exactOptional(),
      requestRedirect: requestRedirectSchema.exactOptional(),
      urlRewrite: urlRewriteSchema.exactOptional(),
      cors: corsSchema.exactOptional(),
      extensionRef: extensionRefSchema.exactOptional(),
      externalAuth: z.unknown().exactOptional(),
    })
    .check((ctx) => {
      const { type } = ctx.value
      if (unsupportedFilters.includes(type)) {
        ctx.issues.push(ruleIssue(type, ['type'], `filters of type ${type} are not supported`, 'HDL010'))
        return
      }
      for (const [owner, field] of Object.entries(filterFields)) {
        const present = ctx.value[field] !== undefined
        if (owner === type && !present)
          ctx.issues.push(
            ruleIssue(ctx.value, [field], `"${field}" is missing: the filter's type is ${type}`, 'HDL006'),
          )
        if (owner !== type && present)
          ctx.issues.push(ruleIssue(ctx.value, [field], `"${field}" does not go with a filter of type ${type}`))
      }
    })
}

function checkFilters(ctx: z.core.ParsePayload<readonly RouteFilter[]>): void {
  const seen = new Set<string>()
  for (const [index, { type }] of ctx.value.entries()) {
    if (seen.has(type) && !repeatable.includes(type))
      ctx.issues.push(ruleIssue(type, [index, 'type'], `a ${type} filter must not be repeated`, 'HDL007'))
    seen.add(type)
  }
  if (seen.has('RequestRedirect') && seen.has('URLRewrite'))
    ctx.issues.push(
      ruleIssue(
        ctx.value,
        [ctx.value.findIndex((filter) => filter.type === 'URLRewrite'), 'type'],
        'RequestRedirect and URLRewrite exclude each other',
      ),
    )
}

const backendFilterTypes: readonly string[] = ['RequestHeaderModifier', 'ResponseHeaderModifier']

function checkBackendFilters(ctx: z.core.ParsePayload<readonly RouteFilter[]>): void {
  for (const [index, { type }] of ctx.value.entries())
    if (!backendFilterTypes.includes(type))
      ctx.issues.push(
        ruleIssue(
          type,
          [index, 'type'],
          `filters of type ${type} are not supported on a backend: put it on the rule`,
          'HDL010',
        ),
      )
}

function filtersSchema(types: readonly FilterType[]): z.ZodType<readonly RouteFilter[]> {
  return z.array(filterSchema(types)).max(16).check(checkFilters)
}

function backendRefsSchema(types: readonly FilterType[]): z.ZodType<readonly BackendRef[]> {
  const backend = z
    .strictObject({
      ...backendReferenceFields,
      weight: weightSchema,
      filters: filtersSchema(types).check(checkBackendFilters).default([]),
    })
    .check(checkBackendPort)
  return z.array(backend).max(16)
}

function unsupported(what: string): z.ZodType<undefined> {
  return z.unknown().check((ctx) => {
    if (ctx.value !== undefined) ctx.issues.push(ruleIssue(ctx.value, [], `${what} is not supported`, 'HDL010'))
  }) as unknown as z.ZodType<undefined>
}

const allFilterTypes = Object.keys(filterFields) as FilterType[]

const httpRuleSchema: z.ZodType<HttpRouteRule> = z
  .strictObject({
    name: objectNameSchema.exactOptional(),
    matches: z.array(routeMatchSchema).max(64).default([matchEverything]),
    filters: filtersSchema(allFilterTypes).default([]),
    backendRefs: backendRefsSchema(allFilterTypes).default([]),
    timeouts: timeoutsSchema.exactOptional(),
    retry: retrySchema.exactOptional(),
    sessionPersistence: sessionPersistenceSchema.exactOptional(),
  })
  .check((ctx) => {
    const { matches, filters, backendRefs } = ctx.value
    for (const [index, { type, requestRedirect, urlRewrite }] of filters.entries()) {
      if (requestRedirect !== undefined && backendRefs.length > 0)
        ctx.issues.push(
          ruleIssue(filters, ['filters', index, 'type'], 'a RequestRedirect filter and backendRefs exclude each other'),
        )
      const field = requestRedirect === undefined ? 'urlRewrite' : 'requestRedirect'
      const path = (requestRedirect ?? urlRewrite)?.path
      if (path?.type !== 'ReplacePrefixMatch') continue
      if (matches.length !== 1 || matches[0]?.path.type !== 'PathPrefix')
        ctx.issues.push(
          ruleIssue(
            path,
            ['filters', index, field, 'path', 'type'],
            `ReplacePrefixMatch in ${type} needs exactly one match in the rule, of path type PathPrefix`,
          ),
        )
    }
  })

const grpcRuleSchema: z.ZodType<GrpcRouteRule> = z.strictObject({
  name: objectNameSchema.exactOptional(),
  matches: z.array(grpcRouteMatchSchema).max(64).default([]),
  filters: filtersSchema(grpcFilterTypes).default([]),
  backendRefs: backendRefsSchema(grpcFilterTypes).default([]),
  sessionPersistence: sessionPersistenceSchema.exactOptional(),
})

export const parentRefSchema: z.ZodType<ParentReference> = z.strictObject({
  group: groupNameSchema.default('gateway.networking.k8s.io'),
  kind: kindNameSchema.default('Gateway'),
  name: objectNameSchema,
  namespace: namespaceNameSchema.exactOptional(),
  sectionName: objectNameSchema.exactOptional(),
  port: portSchema.exactOptional(),
})

export function checkParentRefs(ctx: z.core.ParsePayload<readonly ParentReference[]>): void {
  const same = (a: ParentReference, b: ParentReference): boolean =>
    a.group === b.group && a.kind === b.kind && a.name === b.name && a.namespace === b.namespace
  for (const [index, ref] of ctx.value.entries())
    for (const earlier of ctx.value.slice(0, index)) {
      if (!same(ref, earlier)) continue
      const parts = [ref, earlier].map(({ sectionName, port }) => `${sectionName ?? ''}:${port ?? ''}`)
      if (parts[0] !== parts[1] && !parts.includes(':')) continue
      ctx.issues.push(
        ruleIssue(ref, [index], 'two references to the same parent must differ in "sectionName" or "port"', 'HDL007'),
      )
      break
    }
}

interface NamedRule {
  readonly name?: string
  readonly matches: readonly unknown[]
}

function routeFields<Rule extends NamedRule>(rule: z.ZodType<Rule>, byDefault: Rule[], least: number): z.ZodRawShape {
  return {
    spec: z.strictObject({
      parentRefs: z.array(parentRefSchema).max(32).check(checkParentRefs).default([]),
      hostnames: z.array(hostnameSchema).max(16).default([]),
      rules: z
        .array(rule)
        .min(least)
        .max(16)
        .check(uniqueNames())
        .check((ctx) => {
          const matches = ctx.value.reduce((sum, one) => sum + one.matches.length, 0)
          if (matches > 128)
            ctx.issues.push(ruleIssue(ctx.value, [], `a route may have 128 matches, this has ${matches}`))
        })
        .default(byDefault as never),
      useDefaultGateways: unsupported('useDefaultGateways').optional(),
    }),
  }
}

export const httpRouteFields: z.ZodRawShape = routeFields(
  httpRuleSchema,
  [{ matches: [matchEverything], filters: [], backendRefs: [] }],
  1,
)
export const grpcRouteFields: z.ZodRawShape = routeFields(grpcRuleSchema, [], 0)
