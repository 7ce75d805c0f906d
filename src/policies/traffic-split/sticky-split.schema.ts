// `trafficSplit` of a TrafficPolicy as written, and its translation to the spec.
import { z } from 'zod'

import { hashedPartSchema, toHashPolicies } from '../load-balancing/load-balancing.schema.ts'
import type { HashedPartSettings } from '../load-balancing/load-balancing.schema.ts'
import type { HashPolicySpec } from '../load-balancing/load-balancing.spec.ts'
import { ruleIssue } from '../scalars.schema.ts'

export interface TrafficSplitSettings {
  readonly stickyOn: readonly HashedPartSettings[]
}

export const trafficSplitSchema: z.ZodType<TrafficSplitSettings> = z.strictObject({
  stickyOn: z
    .array(
      hashedPartSchema.check((ctx) => {
        const { type } = ctx.value
        if (type !== 'SourceIdentity' && type !== 'SourceAddress') return
        const message = `type ${type} does not go with a split: expected Header, Cookie or QueryParameter`
        ctx.issues.push(ruleIssue(ctx.value, ['type'], message))
      }),
    )
    .min(1)
    .max(8),
})

export function toStickySplit({ stickyOn }: TrafficSplitSettings): readonly HashPolicySpec[] {
  return toHashPolicies(stickyOn)
}
