// CORS ↔ envoy.extensions.filters.http.cors.v3.CorsPolicy, per route. In a FilterConfig that says it is optional: gRPC clients would
// refuse the whole route configuration otherwise.
import type { Any } from '@bufbuild/protobuf/wkt'

import { FilterConfigSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { CorsPolicySchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import type { StringMatcher } from '../../contracts/xds/gen/envoy/type/matcher/v3/string_pb.ts'
import {
  decodeStringMatcher,
  encodeStringMatcher,
  escapeRegex,
  unescapeRegex,
} from '../route-match/string-matcher.xds.ts'
import type { TextMatch } from '../route-match/string-matcher.xds.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { CorsSpec } from './cors.spec.ts'

/** Name of the HTTP filter, and key of its configuration on a route. */
export const corsFilter = 'envoy.filters.http.cors'

export function encodeCors(spec: CorsSpec | undefined): Record<string, Any> {
  if (spec === undefined) return {}
  const policy = typedConfig(CorsPolicySchema, {
    allowOriginStringMatch: spec.allowOrigins.map((origin) => encodeStringMatcher(originMatch(origin))),
    allowMethods: spec.allowMethods.join(','),
    allowHeaders: spec.allowHeaders.join(','),
    exposeHeaders: spec.exposeHeaders.join(','),
    maxAge: String(spec.maxAgeSeconds),
    allowCredentials: spec.allowCredentials,
  })
  return { [corsFilter]: typedConfig(FilterConfigSchema, { isOptional: true, config: policy }) }
}

/** A lone "*" stays one: Envoy takes it for any origin. Elsewhere it stands for any characters. */
function originMatch(origin: string): TextMatch {
  if (origin === '*' || !origin.includes('*')) return { kind: 'exact', value: origin }
  return { kind: 'regex', value: originPattern(origin) }
}

function originPattern(origin: string): string {
  return origin.split('*').map(escapeRegex).join('.*')
}

/** Undefined when the route has none. Throws an Error that says what cannot be served. */
export function decodeCors(typedPerFilterConfig: Readonly<Record<string, Any>>): CorsSpec | undefined {
  const any = typedPerFilterConfig[corsFilter]
  if (any === undefined) return undefined
  const inner = isTypedConfig(any, FilterConfigSchema)
    ? readTypedConfig(any, FilterConfigSchema, corsFilter).config
    : any
  const policy = readTypedConfig(inner, CorsPolicySchema, corsFilter)
  const maxAgeSeconds = policy.maxAge === '' ? 5 : Number(policy.maxAge)
  if (!Number.isInteger(maxAgeSeconds)) throw new Error(`cors: max_age "${policy.maxAge}" is not a number of seconds`)
  return {
    allowOrigins: policy.allowOriginStringMatch.map(decodeOrigin),
    allowCredentials: policy.allowCredentials ?? false,
    allowMethods: decodeList(policy.allowMethods),
    allowHeaders: decodeList(policy.allowHeaders),
    exposeHeaders: decodeList(policy.exposeHeaders),
    maxAgeSeconds,
  }
}

function decodeOrigin(matcher: StringMatcher): string {
  const match = decodeStringMatcher(matcher, 'cors: allow_origin_string_match')
  if (match.kind === 'exact') return match.value
  const origin = match.value.split('.*').map(unescapeRegex).join('*')
  if (originPattern(origin) === match.value) return origin
  throw new Error(`cors: the origin pattern "${match.value}" is not supported: only ".*" may stand for something else`)
}

function decodeList(text: string): string[] {
  return text === '' ? [] : text.split(',').map((item) => item.trim())
}
