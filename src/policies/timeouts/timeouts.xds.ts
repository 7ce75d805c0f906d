// Timeouts ↔ envoy.config.route.v3.RouteAction.timeout and .idle_timeout, RetryPolicy.per_try_timeout, HttpConnectionManager.stream_idle_timeout.
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { DurationSchema } from '@bufbuild/protobuf/wkt'

import type {
  RouteAction,
  RouteAction_MaxStreamDurationSchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { HttpConnectionManager } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import type { TimeoutsSpec } from './timeouts.spec.ts'

type DurationInit = MessageInitShape<typeof DurationSchema>

/** What Envoy documents for a route that says nothing. */
const defaultRequestMs = 15_000

export interface TimeoutsInit {
  readonly timeout: DurationInit
  readonly idleTimeout?: DurationInit
  /** The same as `timeout` for gRPC clients, which do not read that (gRFC A31); to Envoy, of calls that say how long they wait. */
  readonly maxStreamDuration?: MessageInitShape<typeof RouteAction_MaxStreamDurationSchema>
  readonly perTryTimeout?: DurationInit
}

export function encodeTimeouts(spec: TimeoutsSpec): TimeoutsInit {
  const { requestMs = 0, backendRequestMs = 0, idleMs } = spec
  return {
    timeout: encodeDuration(requestMs),
    ...(requestMs === 0 ? {} : { maxStreamDuration: { grpcTimeoutHeaderMax: encodeDuration(requestMs) } }),
    ...(idleMs === undefined ? {} : { idleTimeout: encodeDuration(idleMs) }),
    ...(backendRequestMs === 0 ? {} : { perTryTimeout: encodeDuration(backendRequestMs) }),
  }
}

/** Throws an Error that says what is wrong. No bound is absent, never 0. */
export function decodeTimeouts(action: RouteAction): TimeoutsSpec {
  const perTry = action.retryPolicy?.perTryTimeout
  const requestMs = action.timeout === undefined ? defaultRequestMs : decodeDuration(action.timeout, 'timeout')
  const backendRequestMs = perTry === undefined ? 0 : decodeDuration(perTry, 'retry_policy: per_try_timeout')
  const { idleTimeout } = action
  return {
    ...(requestMs === 0 ? {} : { requestMs }),
    ...(backendRequestMs === 0 ? {} : { backendRequestMs }),
    ...(idleTimeout === undefined ? {} : { idleMs: decodeDuration(idleTimeout, 'idle_timeout') }),
  }
}

/** How long nothing of a request may move; Infinity: for ever. */
export function decodeStreamIdleTimeout({ streamIdleTimeout: timeout }: HttpConnectionManager): number | undefined {
  if (timeout === undefined) return undefined
  return decodeDuration(timeout, 'stream_idle_timeout') || Infinity
}
