// GRPCRouteMatch as written in a route, and its translation to the spec: a gRPC method is the path "/service/method" of an HTTP/2 request.
import { z } from 'zod'

import { regexFault, ruleIssue } from '../scalars.schema.ts'
import { httpHeaderMatchesSchema, toValueMatchSpec } from './route-match.schema.ts'
import type { HttpValueMatch } from './route-match.schema.ts'
import type { PathMatchSpec, RouteMatchSpec } from './route-match.spec.ts'

/** At least one of `service` and `method` is there, and not empty. */
export interface GrpcMethodMatch {
  readonly type: 'Exact' | 'RegularExpression'
  readonly service?: string
  readonly method?: string
}

export interface GrpcRouteMatch {
  readonly method?: GrpcMethodMatch
  readonly headers: readonly HttpValueMatch[]
}

/** The CRD's own patterns. */
const names = {
  service: /^\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$/i,
  method: /^[A-Za-z_][A-Za-z_0-9]*$/,
} as const

const grpcMethodSchema: z.ZodType<GrpcMethodMatch> = z
  .strictObject({
    type: z.enum(['Exact', 'RegularExpression']).default('Exact'),
    service: z.string().max(1024).exactOptional(),
    method: z.string().max(1024).exactOptional(),
  })
  .check((ctx) => {
    const { type, service, method } = ctx.value
    if (!service && !method)
      ctx.issues.push(ruleIssue(ctx.value, [], 'one or both of "service" and "method" must be given', 'HDL006'))
    for (const field of ['service', 'method'] as const) {
      const text = ctx.value[field]
      const fault = text ? nameFault(type, field, text) : undefined
      if (fault !== undefined) ctx.issues.push(ruleIssue(text, [field], fault))
    }
  })

function nameFault(type: GrpcMethodMatch['type'], field: keyof typeof names, text: string): string | undefined {
  if (type === 'Exact') return names[field].test(text) ? undefined : `"${text}" is not the name of a gRPC ${field}`
  if (/^\^|(?<!\\)\$$/.test(text)) return `"${text}" matches the whole ${field} as it is: leave "^" and "$" out`
  return regexFault(text)
}

export const grpcRouteMatchSchema: z.ZodType<GrpcRouteMatch> = z.strictObject({
  method: grpcMethodSchema.exactOptional(),
  headers: httpHeaderMatchesSchema.default([]),
})

/** What a rule without matches matches: every gRPC request. */
export const matchEveryMethod: GrpcRouteMatch = { headers: [] }

export function toGrpcRouteMatchSpec({ method, headers }: GrpcRouteMatch): RouteMatchSpec {
  return {
    path: method === undefined ? { kind: 'prefix', value: '/' } : toPathMatchSpec(method),
    headers: headers.map((header) => toValueMatchSpec(header, header.name.toLowerCase())),
    queryParams: [],
  }
}

function toPathMatchSpec({ type, service = '', method = '' }: GrpcMethodMatch): PathMatchSpec {
  if (type === 'RegularExpression') return { kind: 'regex', value: `/${wholeElement(service)}/${wholeElement(method)}` }
  if (service === '') return { kind: 'regex', value: `/${wholeElement('')}/${method}` }
  return method === '' ? { kind: 'prefix', value: `/${service}/` } : { kind: 'exact', value: `/${service}/${method}` }
}

/** The group keeps "a|b" inside its element. */
function wholeElement(pattern: string): string {
  return pattern === '' ? '[^/]+' : `(?:${pattern})`
}
