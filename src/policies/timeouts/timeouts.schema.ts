// HTTPRouteTimeouts as written in a route, and their translation to the spec.
import { z } from 'zod'

import { durationMs, durationSchema, ruleIssue } from '../scalars.schema.ts'
import type { TimeoutsSpec } from './timeouts.spec.ts'

export interface RouteTimeouts {
  readonly request?: string
  readonly backendRequest?: string
}

/** `timeouts` of a TrafficPolicy: of routes that leave them open, and of connections of bytes. */
export interface DestinationTimeouts extends RouteTimeouts {
  readonly idle?: string
}

const fields = { request: durationSchema.exactOptional(), backendRequest: durationSchema.exactOptional() }

export const timeoutsSchema: z.ZodType<RouteTimeouts> = z.strictObject(fields).check(withinRequest)

export const destinationTimeoutsSchema: z.ZodType<DestinationTimeouts> = z
  .strictObject({ ...fields, idle: durationSchema.exactOptional() })
  .check(withinRequest)

function withinRequest(ctx: z.core.ParsePayload<RouteTimeouts>): void {
  const { request, backendRequest } = ctx.value
  if (request === undefined || backendRequest === undefined || durationMs(request) === 0) return
  if (durationMs(backendRequest) > durationMs(request))
    ctx.issues.push(
      ruleIssue(ctx.value, ['backendRequest'], `${backendRequest} is longer than the whole request's ${request}`),
    )
}

/** "0s" means no bound: as absence does, but for `idle`. */
export function toTimeoutsSpec(timeouts: DestinationTimeouts): TimeoutsSpec {
  const { idle } = timeouts
  const requestMs = durationMs(timeouts.request ?? '0s')
  const backendRequestMs = durationMs(timeouts.backendRequest ?? '0s')
  return {
    ...(requestMs === 0 ? {} : { requestMs }),
    ...(backendRequestMs === 0 ? {} : { backendRequestMs }),
    ...(idle === undefined ? {} : { idleMs: durationMs(idle) }),
  }
}
