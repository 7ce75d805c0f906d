// HTTPURLRewriteFilter and HTTPPathModifier as written in a route, and their translation to the spec.
import { z } from 'zod'

import { preciseHostnameSchema, ruleIssue } from '../scalars.schema.ts'
import type { PathModifierSpec, RewriteSpec } from './rewrite.spec.ts'

export interface PathModifier {
  readonly type: 'ReplaceFullPath' | 'ReplacePrefixMatch'
  readonly replaceFullPath?: string
  readonly replacePrefixMatch?: string
}

export interface UrlRewriteFilter {
  readonly hostname?: string
  readonly path?: PathModifier
}

const fieldOfType = { ReplaceFullPath: 'replaceFullPath', ReplacePrefixMatch: 'replacePrefixMatch' } as const

const replacementSchema = z
  .string()
  .max(1024)
  .regex(/^$|^\/[!-"$->@-~]*$/, 'a path that starts with "/", without query or fragment')

export const pathModifierSchema: z.ZodType<PathModifier> = z
  .strictObject({
    type: z.enum(['ReplaceFullPath', 'ReplacePrefixMatch']),
    replaceFullPath: replacementSchema.exactOptional(),
    replacePrefixMatch: replacementSchema.exactOptional(),
  })
  .check((ctx) => {
    for (const [type, field] of Object.entries(fieldOfType)) {
      const present = ctx.value[field] !== undefined
      if (type === ctx.value.type && !present)
        ctx.issues.push(ruleIssue(ctx.value, [field], `"${field}" is missing: type is ${type}`, 'HDL006'))
      if (type !== ctx.value.type && present)
        ctx.issues.push(ruleIssue(ctx.value, [field], `"${field}" does not go with type ${ctx.value.type}`))
    }
  })

export const urlRewriteSchema: z.ZodType<UrlRewriteFilter> = z.strictObject({
  hostname: preciseHostnameSchema.exactOptional(),
  path: pathModifierSchema.exactOptional(),
})

/** An empty replacement of the whole path means "/"; of a prefix, that the prefix is taken away. */
export function toPathModifierSpec(modifier: PathModifier): PathModifierSpec {
  const kind = modifier.type === 'ReplaceFullPath' ? 'full' : 'prefix'
  return { kind, value: (kind === 'full' ? modifier.replaceFullPath : modifier.replacePrefixMatch) || '/' }
}

export function toRewriteSpec(filter: UrlRewriteFilter): RewriteSpec {
  return {
    ...(filter.hostname === undefined ? {} : { hostname: filter.hostname }),
    ...(filter.path === undefined ? {} : { path: toPathModifierSpec(filter.path) }),
  }
}
