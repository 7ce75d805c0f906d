// `loadBalancing.subsets` of a TrafficPolicy as written, and its translation to the specs.
import { z } from 'zod'

import { headerNameSchema, ruleIssue } from '../scalars.schema.ts'
import type { SubsetFallback, SubsetKeySpec, SubsetsSpec } from './load-balancing.spec.ts'

const fallbacks = ['None', 'Any', 'Default'] as const

export interface SubsetSettings {
  /** A request chooses by those of the headers that it has. */
  readonly keys: readonly SubsetKeySpec[]
  /** Where a request goes whose values no endpoint has. */
  readonly fallback: (typeof fallbacks)[number]
  /** Labels of the endpoints for requests that choose nothing. Absent: any. */
  readonly default?: Readonly<Record<string, string>>
}

/** Each combination of them is a selector. */
const maxKeys = 4

const labelSchema = z
  .string()
  .max(317)
  .regex(/^([a-z0-9.-]+\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/, 'a label such as "version"')

const labelValueSchema = z
  .string()
  .max(63)
  .regex(/^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/, 'the value of a label, such as "v1"')

export const subsetsSchema: z.ZodType<SubsetSettings> = z
  .strictObject({
    keys: z
      .array(z.strictObject({ label: labelSchema, header: headerNameSchema }))
      .min(1)
      .max(maxKeys)
      .check((ctx) => {
        const seen = new Set<string>()
        for (const [index, { label, header }] of ctx.value.entries()) {
          const names = { label, header: header.toLowerCase() }
          for (const field of ['label', 'header'] as const) {
            const key = `${field} ${names[field]}`
            if (seen.has(key))
              ctx.issues.push(
                ruleIssue(ctx.value, [index, field], `the ${field} "${names[field]}" occurs twice`, 'HDL007'),
              )
            seen.add(key)
          }
        }
      }),
    fallback: z.enum(fallbacks).exactOptional(),
    default: z
      .record(labelSchema, labelValueSchema)
      .refine((labels) => Object.keys(labels).length > 0, '"default" names no label')
      .exactOptional(),
  })
  .check((ctx) => {
    const { fallback, default: labels } = ctx.value
    if (fallback === 'Default' && labels === undefined)
      ctx.issues.push(ruleIssue(ctx.value, ['default'], '"default" is missing: the fallback is Default', 'HDL006'))
  })
  .transform(({ fallback, ...settings }) => ({
    ...settings,
    fallback: fallback ?? (settings.default === undefined ? 'Any' : 'Default'),
  }))

export function toSubsetsSpec({ keys, fallback, default: labels }: SubsetSettings): SubsetsSpec {
  const unmatched = ({ None: 'none', Any: 'any', Default: 'default' } as const)[fallback]
  const rest: SubsetFallback = labels === undefined ? 'any' : 'default'
  return {
    selectors: combinations(keys.map(({ label }) => label)).map((names) => ({
      keys: names,
      ...(unmatched === rest ? {} : { fallback: unmatched }),
    })),
    fallback: rest,
    defaultSubset: labels ?? {},
  }
}

export function toSubsetKeys({ keys }: SubsetSettings): readonly SubsetKeySpec[] {
  return keys.map(({ label, header }) => ({ label, header: header.toLowerCase() }))
}

/** All that are not empty: a request may have only some of the headers. */
function combinations(names: readonly string[]): string[][] {
  const sorted = names.toSorted()
  return Array.from({ length: 2 ** sorted.length - 1 }, (_, i) =>
    sorted.filter((_name, place) => ((i + 1) & (1 << place)) !== 0),
  )
}
