// HTTPRouteTimeouts as written in a route, and their translation to the spec.
import { z } from 'zod'

import { durationMs, durationSchema, ruleIssue } from '../scalars.schema.ts'
import type { TimeoutsSpec } from './timeouts.spec.ts'

export interface RouteTimeouts {
  readonly request?: string
  readonly backendRequest?: string
}

export const timeoutsSchema: z.ZodType<RouteTimeouts> = z
  .strictObject({ request: durationSchema.exactOptional(), backendRequest: durationSchema.exactOptional() })
  .check((ctx) => {
    const { request, backendRequest } = ctx.value
    if (request === undefined || backendRequest === undefined || durationMs(request) === 0) return
    if (durationMs(backendRequest) > durationMs(request))
      ctx.issues.push(
        ruleIssue(ctx.value, ['backendRequest'], `${backendRequest} is longer than the whole request's ${request}`),
      )
  })

/** "0s" means no bound, as absence does. */
export function toTimeoutsSpec(timeouts: RouteTimeouts): TimeoutsSpec {
  const requestMs = durationMs(timeouts.request ?? '0s')
  const backendRequestMs = durationMs(timeouts.backendRequest ?? '0s')
  return {
    ...(requestMs === 0 ? {} : { requestMs }),
    ...(backendRequestMs === 0 ? {} : { backendRequestMs }),
  }
}
