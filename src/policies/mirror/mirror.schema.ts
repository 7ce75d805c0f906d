// HTTPRequestMirrorFilter as written in a route, and the share of requests it means.
import { z } from 'zod'

import { ruleIssue } from '../scalars.schema.ts'
import { backendReferenceFields, checkBackendPort } from '../traffic-split/traffic-split.schema.ts'
import type { BackendReference } from '../traffic-split/traffic-split.schema.ts'
import type { MirrorSpec } from './mirror.spec.ts'

export interface RequestMirrorFilter {
  readonly backendRef: BackendReference
  readonly percent?: number
  readonly fraction?: { readonly numerator: number; readonly denominator: number }
}

export const requestMirrorSchema: z.ZodType<RequestMirrorFilter> = z
  .strictObject({
    backendRef: z.strictObject(backendReferenceFields).check(checkBackendPort),
    percent: z.int().min(0).max(100).exactOptional(),
    fraction: z
      .strictObject({ numerator: z.int().min(0), denominator: z.int().min(1).default(100) })
      .check((ctx) => {
        const { numerator, denominator } = ctx.value
        if (numerator > denominator)
          ctx.issues.push(
            ruleIssue(ctx.value, ['numerator'], `${numerator} is more than the denominator ${denominator}`),
          )
      })
      .exactOptional(),
  })
  .check((ctx) => {
    if (ctx.value.percent !== undefined && ctx.value.fraction !== undefined)
      ctx.issues.push(ruleIssue(ctx.value, ['fraction'], '"percent" and "fraction" exclude each other'))
  })

/** Every request unless the filter says otherwise. */
export function toMirrorShare(filter: RequestMirrorFilter): Pick<MirrorSpec, 'numerator' | 'denominator'> {
  if (filter.fraction !== undefined) return filter.fraction
  return { numerator: filter.percent ?? 100, denominator: 100 }
}
