// Filters of documents → HTTP filters of a listener, and those of one route, which come under numbered keys: Envoy has no list for them.
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'

import { FilterConfigSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { routeFilterKey } from '../../contracts/xds/names.ts'
import { encodeCompression } from '../../policies/compression/compression.xds.ts'
import { encodeTransformation } from '../../policies/transformation/transformation.xds.ts'
import { typedConfig } from '../../policies/typed-config.xds.ts'
import { encodeTypescriptFilter } from '../../policies/typescript-filter/typescript-filter.xds.ts'
import type { MeshFilter } from '../snapshot/mesh-snapshot.ts'
import type { HttpSettings } from './http-settings.ts'

function listenerFilters(filters: readonly MeshFilter[]): MessageInitShape<typeof HttpFilterSchema>[] {
  return filters.flatMap((filter) =>
    encodeFilter(filter).map((value, index) => ({
      name: index === 0 ? filter.name : `${filter.name}/${index}`,
      configType: { case: 'typedConfig' as const, value },
    })),
  )
}

export function withFilters(http: HttpSettings, filters: readonly MeshFilter[] | undefined): HttpSettings {
  return filters === undefined ? http : { ...http, filters: { ...http.filters, document: listenerFilters(filters) } }
}

/** Other data planes may pass them by, but for those without which no request may pass. */
export function routeFilters(filters: readonly MeshFilter[] = []): Record<string, Any> {
  const configs = filters.flatMap((filter) =>
    encodeFilter(filter).map((config) => ({ isOptional: mayBeIgnored(filter), config })),
  )
  return Object.fromEntries(
    configs.map((config, index) => [routeFilterKey(index), typedConfig(FilterConfigSchema, config)]),
  )
}

function mayBeIgnored(filter: MeshFilter): boolean {
  return filter.kind !== 'typescript' || filter.spec.onError === 'Continue'
}

function encodeFilter(filter: MeshFilter): readonly Any[] {
  if (filter.kind === 'transformation') return [encodeTransformation(filter.spec)]
  return filter.kind === 'compression' ? encodeCompression(filter.spec) : [encodeTypescriptFilter(filter.spec)]
}
