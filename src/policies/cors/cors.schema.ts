// HTTPCORSFilter as written in a route, and its translation to the spec.
import { z } from 'zod'

import { headerNameSchema, ruleIssue } from '../scalars.schema.ts'
import type { CorsSpec } from './cors.spec.ts'

export interface CorsFilter {
  readonly allowOrigins: readonly string[]
  readonly allowCredentials: boolean
  readonly allowMethods: readonly string[]
  readonly allowHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
  /** Seconds. */
  readonly maxAge: number
}

const originPattern = /^\*$|^https?:\/\/((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?$/
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', '*'] as const

function checkLoneWildcard(ctx: z.core.ParsePayload<string[]>): void {
  if (ctx.value.length > 1 && ctx.value.includes('*'))
    ctx.issues.push(ruleIssue(ctx.value, [ctx.value.indexOf('*')], '"*" must be the only entry'))
}

export const corsSchema: z.ZodType<CorsFilter> = z.strictObject({
  allowOrigins: z
    .array(z.string().max(253).regex(originPattern, 'an origin such as "https://shop.example" or "*"'))
    .max(64)
    .check(checkLoneWildcard)
    .default([]),
  allowCredentials: z.boolean().default(false),
  allowMethods: z
    .array(z.enum(methods) as z.ZodType<string>)
    .max(9)
    .check(checkLoneWildcard)
    .default([]),
  allowHeaders: z.array(headerNameSchema).max(64).check(checkLoneWildcard).default([]),
  exposeHeaders: z.array(headerNameSchema).max(64).default([]),
  maxAge: z.int().min(1).default(5),
})

export function toCorsSpec(filter: CorsFilter): CorsSpec {
  const { maxAge, ...rest } = filter
  return { ...rest, maxAgeSeconds: maxAge }
}
