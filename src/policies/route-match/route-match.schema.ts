// HTTPRouteMatch as written in a route, and its translation to the spec.
import { z } from 'zod'

import { foldCase, headerNameSchema, headerValueSchema, regexFault, ruleIssue, uniqueNames } from '../scalars.schema.ts'
import type { RouteMatchSpec, ValueMatchSpec } from './route-match.spec.ts'

export interface HttpPathMatch {
  readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression'
  readonly value: string
}

export interface HttpValueMatch {
  readonly type: 'Exact' | 'RegularExpression'
  readonly name: string
  readonly value: string
}

export interface HttpRouteMatch {
  readonly path: HttpPathMatch
  readonly method?: string
  readonly headers: readonly HttpValueMatch[]
  readonly queryParams: readonly HttpValueMatch[]
}

const pathFaults: readonly (readonly [fault: RegExp, message: string])[] = [
  [/^(?!\/)/, 'the path must start with "/"'],
  [/\/\//, 'the path must not contain "//"'],
  [/\/\.\.?(\/|$)/, 'the path must not contain "/." or "/.." as an element'],
  [/%2f/i, 'the path must not contain an encoded "/" (%2F)'],
  [/#/, 'the path must not contain "#"'],
  [/\?/, 'the path must not contain "?": match the query by "queryParams"'],
  [/[^-A-Za-z0-9/._~!$&'()*+,;=:@%#?]|%(?![0-9a-fA-F]{2})/, 'the path must contain only characters of a URI path'],
]

const pathMatchSchema: z.ZodType<HttpPathMatch> = z
  .strictObject({
    type: z.enum(['Exact', 'PathPrefix', 'RegularExpression']).default('PathPrefix'),
    value: z.string().max(1024).default('/'),
  })
  .check((ctx) => {
    const { type, value } = ctx.value
    const fault =
      type === 'RegularExpression' ? regexFault(value) : pathFaults.find(([pattern]) => pattern.test(value))?.[1]
    if (fault !== undefined) ctx.issues.push(ruleIssue(ctx.value, ['value'], fault))
  })

function valueMatchesSchema(
  value: z.ZodType<string>,
  nameKey?: (name: string) => string,
): z.ZodType<readonly HttpValueMatch[]> {
  const one = z
    .strictObject({ type: z.enum(['Exact', 'RegularExpression']).default('Exact'), name: headerNameSchema, value })
    .check((ctx) => {
      const fault = ctx.value.type === 'RegularExpression' ? regexFault(ctx.value.value) : undefined
      if (fault !== undefined) ctx.issues.push(ruleIssue(ctx.value, ['value'], fault))
    })
  return z.array(one).max(16).check(uniqueNames(nameKey))
}

/** Gateway API HTTPMethod. */
export const httpMethods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const

export const httpHeaderMatchesSchema: z.ZodType<readonly HttpValueMatch[]> = valueMatchesSchema(
  headerValueSchema,
  foldCase,
)

export const routeMatchSchema: z.ZodType<HttpRouteMatch> = z.strictObject({
  path: pathMatchSchema.default({ type: 'PathPrefix', value: '/' }),
  method: z.enum(httpMethods).exactOptional(),
  headers: httpHeaderMatchesSchema.default([]),
  queryParams: valueMatchesSchema(z.string().min(1).max(1024)).default([]),
})

/** What a rule without matches matches. */
export const matchEverything: HttpRouteMatch = {
  path: { type: 'PathPrefix', value: '/' },
  headers: [],
  queryParams: [],
}

const pathKinds = { Exact: 'exact', PathPrefix: 'prefix', RegularExpression: 'regex' } as const

export function toRouteMatchSpec(match: HttpRouteMatch): RouteMatchSpec {
  const { type, value } = match.path
  return {
    // a trailing "/" of a prefix means nothing (Gateway API PathMatchPathPrefix)
    path: { kind: pathKinds[type], value: type === 'PathPrefix' && value !== '/' ? value.replace(/\/$/, '') : value },
    ...(match.method === undefined ? {} : { method: match.method }),
    headers: match.headers.map((header) => toValueMatchSpec(header, header.name.toLowerCase())),
    queryParams: match.queryParams.map((parameter) => toValueMatchSpec(parameter, parameter.name)),
  }
}

export function toValueMatchSpec(match: HttpValueMatch, name: string): ValueMatchSpec {
  return { name, kind: match.type === 'Exact' ? 'exact' : 'regex', value: match.value }
}
