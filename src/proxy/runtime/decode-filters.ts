// Filters that documents put into a listener or a route → what the proxy has requests pass.
import type { Any } from '@bufbuild/protobuf/wkt'

import { FilterConfigSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { TypescriptFilterSchema } from '../../contracts/xds/gen/heddle/v1/typescript_filter_pb.ts'
import { isRouteFilterKey } from '../../contracts/xds/names.ts'
import { decodeTransformation, isTransformation } from '../../policies/transformation/transformation.xds.ts'
import { isTypedConfig, readTypedConfig } from '../../policies/typed-config.xds.ts'
import { decodeTypescriptFilter } from '../../policies/typescript-filter/typescript-filter.xds.ts'
import type { DocumentFilterConfig } from './runtime-config.ts'

/** Undefined: it is another filter. Throws an Error that says what cannot be served. */
export function decodeDocumentFilter(any: Any | undefined, place: string): DocumentFilterConfig | undefined {
  if (any !== undefined && isTransformation(any))
    return { kind: 'transformation', spec: decodeTransformation(any, place) }
  if (isTypedConfig(any, TypescriptFilterSchema)) return { kind: 'typescript', spec: decodeTypescriptFilter(any) }
  return undefined
}

/** Of a route, in order. Throws an Error that says what cannot be served. */
export function decodeRouteFilters(typedPerFilterConfig: Readonly<Record<string, Any>>): DocumentFilterConfig[] {
  return Object.keys(typedPerFilterConfig)
    .filter(isRouteFilterKey)
    .toSorted()
    .map((key) => {
      const any = typedPerFilterConfig[key]
      const inner = isTypedConfig(any, FilterConfigSchema) ? readTypedConfig(any, FilterConfigSchema, key).config : any
      const filter = decodeDocumentFilter(inner, key)
      if (filter === undefined) throw new Error(`${key}: ${inner?.typeUrl ?? 'nothing'} is not supported`)
      return filter
    })
}
