// `loadBalancing` of a TrafficPolicy as written, and its translation to the spec.
import { z } from 'zod'

import type { LoadBalancingSpec } from './load-balancing.spec.ts'

export interface LoadBalancingSettings {
  readonly algorithm: 'LeastRequest'
  readonly leastRequest: { readonly choiceCount: number }
}

/** Of destinations without a policy, and of what a policy leaves out. */
export const defaultLoadBalancing: LoadBalancingSpec = { kind: 'least-request', choiceCount: 2 }

export const loadBalancingSchema: z.ZodType<LoadBalancingSettings> = z.strictObject({
  algorithm: z.enum(['LeastRequest']).default('LeastRequest'),
  leastRequest: z.strictObject({ choiceCount: z.int().min(2).max(100).default(2) }).default({ choiceCount: 2 }),
})

export function toLoadBalancingSpec({ leastRequest }: LoadBalancingSettings): LoadBalancingSpec {
  return { kind: 'least-request', ...leastRequest }
}
