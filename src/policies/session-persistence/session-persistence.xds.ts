// Session persistence ↔ envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute; timeouts that it has no field for beside it. Both optional:
// gRPC clients would refuse the whole route configuration otherwise.
import type { Any } from '@bufbuild/protobuf/wkt'

import { FilterConfigSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { StatefulSessionPerRouteSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts'
import { CookieBasedSessionStateSchema } from '../../contracts/xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.ts'
import { HeaderBasedSessionStateSchema } from '../../contracts/xds/gen/envoy/extensions/http/stateful_session/header/v3/header_pb.ts'
import { SessionTimeoutsSchema } from '../../contracts/xds/gen/heddle/v1/session_timeouts_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { SessionPersistenceSpec } from './session-persistence.spec.ts'

/** Name of the HTTP filter, and key of its configuration on a route. */
export const statefulSessionFilter = 'envoy.filters.http.stateful_session'
export const sessionTimeoutsFilter = 'heddle.session_timeouts'

export function encodeSessionPersistence(spec: SessionPersistenceSpec | undefined): Record<string, Any> {
  if (spec === undefined) return {}
  const { absoluteTimeoutMs, idleTimeoutMs, permanent } = spec
  const perRoute = typedConfig(StatefulSessionPerRouteSchema, {
    override: { case: 'statefulSession', value: { sessionState: encodeState(spec) } },
  })
  const absolute = permanent === true ? undefined : absoluteTimeoutMs
  const timeouts = typedConfig(SessionTimeoutsSchema, {
    ...(absolute === undefined ? {} : { absoluteTimeout: encodeDuration(absolute) }),
    ...(idleTimeoutMs === undefined ? {} : { idleTimeout: encodeDuration(idleTimeoutMs) }),
  })
  return {
    [statefulSessionFilter]: optional(perRoute),
    ...(absolute === undefined && idleTimeoutMs === undefined ? {} : { [sessionTimeoutsFilter]: optional(timeouts) }),
  }
}

function encodeState({ carrier, name, absoluteTimeoutMs = 0, permanent }: SessionPersistenceSpec) {
  if (carrier === 'header') {
    const config = typedConfig(HeaderBasedSessionStateSchema, { name })
    return { name: 'envoy.http.stateful_session.header', typedConfig: config }
  }
  const ttl = encodeDuration(permanent === true ? absoluteTimeoutMs : 0)
  const config = typedConfig(CookieBasedSessionStateSchema, { cookie: { name, ttl, path: '/' } })
  return { name: 'envoy.http.stateful_session.cookie', typedConfig: config }
}

function optional(config: Any): Any {
  return typedConfig(FilterConfigSchema, { isOptional: true, config })
}

/** Undefined when the route has none. Throws an Error that says what cannot be served. */
export function decodeSessionPersistence(
  typedPerFilterConfig: Readonly<Record<string, Any>>,
): SessionPersistenceSpec | undefined {
  const any = inner(typedPerFilterConfig[statefulSessionFilter], statefulSessionFilter)
  if (any === undefined) return undefined
  const { override } = readTypedConfig(any, StatefulSessionPerRouteSchema, statefulSessionFilter)
  const state = override.case === 'statefulSession' ? override.value.sessionState?.typedConfig : undefined
  if (state === undefined) return undefined
  const timeouts = inner(typedPerFilterConfig[sessionTimeoutsFilter], sessionTimeoutsFilter)
  return { ...decodeState(state), ...(timeouts === undefined ? {} : decodeTimeouts(timeouts)) }
}

function inner(any: Any | undefined, place: string): Any | undefined {
  return isTypedConfig(any, FilterConfigSchema) ? readTypedConfig(any, FilterConfigSchema, place).config : any
}

function decodeState(state: Any): SessionPersistenceSpec {
  if (isTypedConfig(state, HeaderBasedSessionStateSchema)) {
    const { name } = readTypedConfig(state, HeaderBasedSessionStateSchema, statefulSessionFilter)
    return { carrier: 'header', name: name.toLowerCase() }
  }
  const { cookie } = readTypedConfig(state, CookieBasedSessionStateSchema, statefulSessionFilter)
  if (cookie === undefined) throw new Error(`${statefulSessionFilter}: a cookie without a name`)
  const ttlMs = cookie.ttl === undefined ? 0 : decodeDuration(cookie.ttl, 'cookie.ttl')
  return {
    carrier: 'cookie',
    name: cookie.name,
    ...(ttlMs === 0 ? {} : { absoluteTimeoutMs: ttlMs, permanent: true as const }),
  }
}

function decodeTimeouts(any: Any): Pick<SessionPersistenceSpec, 'absoluteTimeoutMs' | 'idleTimeoutMs'> {
  const { absoluteTimeout, idleTimeout } = readTypedConfig(any, SessionTimeoutsSchema, sessionTimeoutsFilter)
  return {
    ...(absoluteTimeout === undefined
      ? {}
      : { absoluteTimeoutMs: decodeDuration(absoluteTimeout, 'absolute_timeout') }),
    ...(idleTimeout === undefined ? {} : { idleTimeoutMs: decodeDuration(idleTimeout, 'idle_timeout') }),
  }
}
