// Filters that documents put into a listener or a route → what the proxy has requests pass.
import type { Any } from '@bufbuild/protobuf/wkt'

import { FilterConfigSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { TypescriptFilterSchema } from '../../contracts/xds/gen/heddle/v1/typescript_filter_pb.ts'
import { isRouteFilterKey } from '../../contracts/xds/names.ts'
import { decodeCompression, isCompression, joinCompressions } from '../../policies/compression/compression.xds.ts'
import { decodeTransformation, isTransformation } from '../../policies/transformation/transformation.xds.ts'
import { isTypedConfig, readTypedConfig } from '../../policies/typed-config.xds.ts'
import { decodeTypescriptFilter } from '../../policies/typescript-filter/typescript-filter.xds.ts'
import type { DocumentFilterConfig, HttpFilterConfig } from './runtime-config.ts'

/** Undefined: it is another filter. Throws an Error that says what cannot be served. */
export function decodeDocumentFilter(any: Any | undefined, place: string): DocumentFilterConfig | undefined {
  if (any !== undefined && isTransformation(any))
    return { kind: 'transformation', spec: decodeTransformation(any, place) }
  if (isTypedConfig(any, TypescriptFilterSchema)) return { kind: 'typescript', spec: decodeTypescriptFilter(any) }
  if (any !== undefined && isCompression(any)) return { kind: 'compression', spec: decodeCompression(any, place) }
  return undefined
}

/** Each coding has a filter of its own on the wire. */
export function withJoinedCompressions<Config extends HttpFilterConfig>(filters: readonly Config[]): Config[] {
  const joined: Config[] = []
  for (const filter of filters) {
    const last = joined.at(-1)
    const both =
      last?.kind === 'compression' && filter.kind === 'compression'
        ? joinCompressions(last.spec, filter.spec)
        : undefined
    if (both === undefined) joined.push(filter)
    else joined[joined.length - 1] = { ...filter, spec: both }
  }
  return joined
}

/** Of a route, in order. Throws an Error that says what cannot be served. */
export function decodeRouteFilters(typedPerFilterConfig: Readonly<Record<string, Any>>): DocumentFilterConfig[] {
  const filters = Object.keys(typedPerFilterConfig)
    .filter(isRouteFilterKey)
    .toSorted()
    .map((key) => {
      const any = typedPerFilterConfig[key]
      const inner = isTypedConfig(any, FilterConfigSchema) ? readTypedConfig(any, FilterConfigSchema, key).config : any
      const filter = decodeDocumentFilter(inner, key)
      if (filter === undefined) throw new Error(`${key}: ${inner?.typeUrl ?? 'nothing'} is not supported`)
      return filter
    })
  return withJoinedCompressions(filters)
}
