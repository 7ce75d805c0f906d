// Which requests a route speaks of ↔ envoy.config.route.v3.RouteMatch.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  HeaderMatcher,
  HeaderMatcherSchema,
  QueryParameterMatcher,
  RouteMatch,
  RouteMatchSchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { PathMatchSpec, RouteMatchSpec, ValueMatchSpec } from './route-match.spec.ts'
import { decodeStringMatcher, encodeStringMatcher, escapeRegex } from './string-matcher.xds.ts'

type RouteMatchInit = MessageInitShape<typeof RouteMatchSchema>
type PathSpecifierInit = NonNullable<RouteMatchInit['pathSpecifier']>

/** Pseudo-header that carries the method in a header match. */
const methodHeader = ':method'

export function encodeRouteMatch(spec: RouteMatchSpec): RouteMatchInit {
  const method = spec.method === undefined ? [] : [{ name: methodHeader, kind: 'exact' as const, value: spec.method }]
  return {
    pathSpecifier: encodePath(spec.path),
    headers: [...method, ...spec.headers].map(encodeHeaderMatch),
    queryParameters: spec.queryParams.map((parameter) => ({
      name: parameter.name,
      queryParameterMatchSpecifier: { case: 'stringMatch', value: encodeStringMatcher(parameter) },
    })),
  }
}

export function encodeHeaderMatch(header: ValueMatchSpec): MessageInitShape<typeof HeaderMatcherSchema> {
  return { name: header.name, headerMatchSpecifier: { case: 'stringMatch', value: encodeStringMatcher(header) } }
}

function encodePath({ kind, value }: PathMatchSpec): PathSpecifierInit {
  if (kind === 'exact') return { case: 'path', value }
  if (kind === 'regex') return { case: 'safeRegex', value: { regex: value } }
  // up to a slash the two are the same, and gRPC clients that are their own data plane know only `prefix`
  return value.endsWith('/') ? { case: 'prefix', value } : { case: 'pathSeparatedPrefix', value }
}

/** Throws an Error that says which part cannot be served. */
export function decodeRouteMatch(match: RouteMatch | undefined): RouteMatchSpec {
  if (match === undefined) throw new Error('match is missing')
  const unsupported = (['runtimeFraction', 'grpc', 'tlsContext'] as const).find((field) => match[field] !== undefined)
  if (unsupported !== undefined) throw new Error(`match: ${unsupported} is not supported`)
  if (match.dynamicMetadata.length > 0) throw new Error('match: dynamicMetadata is not supported')
  if (match.caseSensitive === false) throw new Error('match: a path that ignores case is not supported')

  const headers = match.headers.map((header) => decodeHeaderMatch(header, 'match'))
  const method = headers.find(({ name }) => name === methodHeader)
  if (method !== undefined && method.kind !== 'exact') throw new Error('match: the method must be matched exactly')
  return {
    path: decodePath(match),
    ...(method === undefined ? {} : { method: method.value }),
    headers: headers.filter(({ name }) => name !== methodHeader),
    queryParams: match.queryParameters.map((parameter) => decodeQueryParameter(parameter)),
  }
}

function decodePath({ pathSpecifier }: RouteMatch): PathMatchSpec {
  if (pathSpecifier.case === 'path') return { kind: 'exact', value: pathSpecifier.value }
  if (pathSpecifier.case === 'pathSeparatedPrefix') return { kind: 'prefix', value: pathSpecifier.value }
  if (pathSpecifier.case === 'safeRegex') return { kind: 'regex', value: pathSpecifier.value.regex }
  if (pathSpecifier.case === 'prefix') {
    if (pathSpecifier.value === '') return { kind: 'prefix', value: '/' }
    if (pathSpecifier.value.endsWith('/')) return { kind: 'prefix', value: pathSpecifier.value }
    // matches in the middle of a path element, which the spec's prefix never does
    return { kind: 'regex', value: `${escapeRegex(pathSpecifier.value)}.*` }
  }
  throw new Error(`match: path ${pathSpecifier.case ?? 'specifier'} is not supported`)
}

/** Throws an Error that starts with `where` and says what cannot be served. */
export function decodeHeaderMatch(header: HeaderMatcher, where: string): ValueMatchSpec {
  const place = `${where}: header "${header.name}"`
  if (header.invertMatch) throw new Error(`${place}: invert_match is not supported`)
  const name = header.name.toLowerCase()
  const { headerMatchSpecifier: specifier } = header
  if (specifier.case === 'stringMatch') return { name, ...decodeStringMatcher(specifier.value, place) }
  if (specifier.case === 'exactMatch') return { name, kind: 'exact', value: specifier.value }
  if (specifier.case === 'safeRegexMatch') return { name, kind: 'regex', value: specifier.value.regex }
  const present = specifier.case === undefined || (specifier.case === 'presentMatch' && specifier.value)
  if (present) return { name, kind: 'regex', value: '.*' }
  throw new Error(`${place}: ${specifier.case} is not supported`)
}

function decodeQueryParameter(parameter: QueryParameterMatcher): ValueMatchSpec {
  const { name, queryParameterMatchSpecifier: specifier } = parameter
  const place = `match: query parameter "${name}"`
  if (specifier.case === 'stringMatch') return { name, ...decodeStringMatcher(specifier.value, place) }
  if (specifier.case === 'presentMatch' && !specifier.value) throw new Error(`${place}: absence is not supported`)
  return { name, kind: 'regex', value: '.*' }
}
