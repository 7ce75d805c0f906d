// HTTPHeaderFilter as written in a route, and its translation to the spec.
import { z } from 'zod'

import { foldCase, headerNameSchema, headerValueSchema, uniqueNames } from '../scalars.schema.ts'
import type { HeaderLineSpec, HeaderModifierSpec } from './header-modifier.spec.ts'

export interface HeaderModifierFilter {
  readonly set: readonly HeaderLineSpec[]
  readonly add: readonly HeaderLineSpec[]
  readonly remove: readonly string[]
}

const linesSchema = z
  .array(z.strictObject({ name: headerNameSchema, value: headerValueSchema }))
  .max(16)
  .check(uniqueNames(foldCase))
  .default([])

export const headerModifierSchema: z.ZodType<HeaderModifierFilter> = z.strictObject({
  set: linesSchema,
  add: linesSchema,
  remove: z.array(headerNameSchema).max(16).default([]),
})

export function toHeaderModifierSpec(filter: HeaderModifierFilter): HeaderModifierSpec {
  return { set: filter.set, add: filter.add, remove: filter.remove }
}
