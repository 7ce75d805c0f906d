// HTTPRequestRedirectFilter as written in a route, and its translation to the spec.
import { z } from 'zod'

import { pathModifierSchema, toPathModifierSpec } from '../rewrite/rewrite.schema.ts'
import type { PathModifier } from '../rewrite/rewrite.schema.ts'
import { portSchema, preciseHostnameSchema } from '../scalars.schema.ts'
import type { RedirectSpec } from './redirect.spec.ts'

export interface RequestRedirectFilter {
  readonly scheme?: 'http' | 'https'
  readonly hostname?: string
  readonly path?: PathModifier
  readonly port?: number
  readonly statusCode: RedirectSpec['statusCode']
}

export const requestRedirectSchema: z.ZodType<RequestRedirectFilter> = z.strictObject({
  scheme: z.enum(['http', 'https']).exactOptional(),
  hostname: preciseHostnameSchema.exactOptional(),
  path: pathModifierSchema.exactOptional(),
  port: portSchema.exactOptional(),
  statusCode: z.literal([301, 302, 303, 307, 308]).default(302),
})

export function toRedirectSpec(filter: RequestRedirectFilter): RedirectSpec {
  const { path, ...rest } = filter
  return { ...rest, ...(path === undefined ? {} : { path: toPathModifierSpec(path) }) }
}
