// Filter: what requests pass, or are answered by, where a route names it or its targetRefs say so.
import { z } from 'zod'

import { compressionSchema } from '../../policies/compression/compression.schema.ts'
import type { Compression } from '../../policies/compression/compression.schema.ts'
import { directResponseSchema } from '../../policies/direct-response/direct-response.schema.ts'
import type { DirectResponse } from '../../policies/direct-response/direct-response.schema.ts'
import { templateRewriteSchema } from '../../policies/rewrite/url-rewrite.schema.ts'
import type { TemplateRewrite } from '../../policies/rewrite/url-rewrite.schema.ts'
import { groupNameSchema, objectNameSchema, ruleIssue } from '../../policies/scalars.schema.ts'
import { transformationSchema } from '../../policies/transformation/transformation.schema.ts'
import type { Transformation } from '../../policies/transformation/transformation.schema.ts'
import { typescriptFilterSchema } from '../../policies/typescript-filter/typescript-filter.schema.ts'
import type { TypescriptFilterSettings } from '../../policies/typescript-filter/typescript-filter.schema.ts'

export interface FilterTarget {
  readonly group: string
  readonly kind: 'Service' | 'Gateway'
  readonly name: string
}

/** Exactly one form is present. */
export interface FilterForms {
  readonly typescript?: TypescriptFilterSettings
  readonly directResponse?: DirectResponse
  readonly urlRewrite?: TemplateRewrite
  readonly transformation?: Transformation
  readonly compression?: Compression
}

export interface FilterSpec extends FilterForms {
  /** Empty: only where routes name it. */
  readonly targetRefs: readonly FilterTarget[]
}

const forms = {
  typescript: typescriptFilterSchema.exactOptional(),
  directResponse: directResponseSchema.exactOptional(),
  urlRewrite: templateRewriteSchema.exactOptional(),
  transformation: transformationSchema.exactOptional(),
  compression: compressionSchema.exactOptional(),
}

/** What becomes of a request is said where its route is: a listener has none. */
const ofRoutes: readonly (keyof FilterForms)[] = ['directResponse', 'urlRewrite']

function checkForm(ctx: z.core.ParsePayload<FilterSpec>): void {
  const names = Object.keys(forms) as (keyof FilterForms)[]
  const present = names.filter((name) => ctx.value[name] !== undefined)
  if (present.length === 0)
    ctx.issues.push(ruleIssue(ctx.value, [], `a Filter needs one of ${names.join(', ')}`, 'HDL006'))
  const routed = present.find((name) => ofRoutes.includes(name))
  if (routed !== undefined && ctx.value.targetRefs.length > 0)
    ctx.issues.push(
      ruleIssue(
        ctx.value,
        ['targetRefs'],
        `targetRefs do not go with ${routed}: name the Filter in a rule by ExtensionRef`,
      ),
    )
  for (const name of present.slice(1))
    ctx.issues.push(ruleIssue(ctx.value, [name], `${present[0]} and ${name} exclude each other: write two Filters`))
}

export const filterFields: z.ZodRawShape = {
  spec: z
    .strictObject({
      targetRefs: z
        .array(
          z.strictObject({
            group: groupNameSchema.default(''),
            kind: z.enum(['Service', 'Gateway']),
            name: objectNameSchema,
          }),
        )
        .max(16)
        .default([]),
      ...forms,
    })
    .check(checkForm),
}
