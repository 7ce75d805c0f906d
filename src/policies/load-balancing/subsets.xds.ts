// Subsets ↔ envoy.extensions.load_balancing_policies.subset.v3.Subset around the policy of the cluster, endpoint metadata `envoy.lb`, and what a request
// chooses by ↔ envoy.extensions.filters.http.header_to_metadata.v3.Config of a route or weighted cluster.
import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'

import { FilterConfigSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { ConfigSchema as HeaderToMetadataSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata_pb.ts'
import type { Config_Rule } from '../../contracts/xds/gen/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata_pb.ts'
import {
  Subset_LbSubsetFallbackPolicy as Fallback,
  Subset_LbSubsetMetadataFallbackPolicy as MetadataFallback,
  Subset_LbSubsetSelector_LbSubsetSelectorFallbackPolicy as SelectorFallback,
} from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb.ts'
import type {
  Subset,
  SubsetSchema,
} from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { SubsetFallback, SubsetKeySpec, SubsetSelectorSpec, SubsetsSpec } from './load-balancing.spec.ts'

const fallbacks = { none: Fallback.NO_FALLBACK, any: Fallback.ANY_ENDPOINT, default: Fallback.DEFAULT_SUBSET } as const
const selectorFallbacks = {
  none: SelectorFallback.NO_FALLBACK,
  any: SelectorFallback.ANY_ENDPOINT,
  default: SelectorFallback.DEFAULT_SUBSET,
} as const

type SubsetInit = Pick<MessageInitShape<typeof SubsetSchema>, 'fallbackPolicy' | 'defaultSubset' | 'subsetSelectors'>

export function encodeSubsets({ selectors, fallback, defaultSubset }: SubsetsSpec): SubsetInit {
  return {
    fallbackPolicy: fallbacks[fallback],
    defaultSubset: { ...defaultSubset },
    subsetSelectors: selectors.map(({ keys, fallback: own }) => ({
      keys: [...keys],
      ...(own === undefined ? {} : { fallbackPolicy: selectorFallbacks[own] }),
    })),
  }
}

const place = 'subset'

/** Throws an Error that says what cannot be served. */
export function decodeSubsets(message: Subset): SubsetsSpec {
  for (const field of ['allowRedundantKeys', 'listAsAny', 'panicModeAny'] as const)
    if (message[field]) throw new Error(`${place}: ${field} is not supported`)
  if (message.metadataFallbackPolicy !== MetadataFallback.METADATA_NO_FALLBACK)
    throw new Error(`${place}: metadata_fallback_policy is not supported`)
  const fallback = nameOf(fallbacks, message.fallbackPolicy)
  if (fallback === undefined) throw new Error(`${place}: fallback_policy ${message.fallbackPolicy} is not supported`)
  return {
    selectors: message.subsetSelectors.map(decodeSelector),
    fallback,
    defaultSubset: texts(message.defaultSubset),
  }
}

function decodeSelector(selector: Subset['subsetSelectors'][number]): SubsetSelectorSpec {
  const { keys, fallbackPolicy } = selector
  if (selector.singleHostPerSubset) throw new Error(`${place}: single_host_per_subset is not supported`)
  if (keys.length === 0) throw new Error(`${place}: a selector without keys`)
  if (fallbackPolicy === SelectorFallback.NOT_DEFINED) return { keys }
  const fallback = nameOf(selectorFallbacks, fallbackPolicy)
  if (fallback === undefined) throw new Error(`${place}: KEYS_SUBSET is not supported`)
  return { keys, fallback }
}

function nameOf(numbers: Readonly<Record<SubsetFallback, number>>, number: number): SubsetFallback | undefined {
  return (Object.keys(numbers) as SubsetFallback[]).find((name) => numbers[name] === number)
}

/** Key of the metadata by which endpoints are told apart. */
const metadataNamespace = 'envoy.lb'

export function encodeEndpointLabels(labels: Readonly<Record<string, string>> | undefined): Record<string, JsonObject> {
  return labels === undefined ? {} : { [metadataNamespace]: { ...labels } }
}

/** Undefined: it has none. */
export function decodeEndpointLabels(
  filterMetadata: Readonly<Record<string, JsonObject>>,
): Readonly<Record<string, string>> | undefined {
  const labels = texts(filterMetadata[metadataNamespace])
  return Object.keys(labels).length === 0 ? undefined : labels
}

/** What is no text is nothing that a header could say. */
function texts(metadata: JsonObject | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(metadata ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

/** Name of the HTTP filter, and key of its configuration on a route. */
export const headerToMetadataFilter = 'envoy.filters.http.header_to_metadata'

/** Optional: who does not know the filter does not refuse the routes for it. */
export function encodeSubsetKeys(keys: readonly SubsetKeySpec[] | undefined): Record<string, Any> {
  if (keys === undefined) return {}
  const requestRules = keys.map(({ label: key, header }) => ({ header, onHeaderPresent: { metadataNamespace, key } }))
  const config = typedConfig(HeaderToMetadataSchema, { requestRules })
  return { [headerToMetadataFilter]: typedConfig(FilterConfigSchema, { isOptional: true, config }) }
}

/** Undefined when there are none. Throws an Error that says what cannot be served. */
export function decodeSubsetKeys(
  typedPerFilterConfig: Readonly<Record<string, Any>>,
): readonly SubsetKeySpec[] | undefined {
  let any = typedPerFilterConfig[headerToMetadataFilter]
  if (any !== undefined && isTypedConfig(any, FilterConfigSchema)) {
    const { disabled, config } = readTypedConfig(any, FilterConfigSchema, headerToMetadataFilter)
    any = disabled ? undefined : config
  }
  if (any === undefined) return undefined
  const { requestRules, responseRules } = readTypedConfig(any, HeaderToMetadataSchema, headerToMetadataFilter)
  if (responseRules.length > 0) throw new Error(`${headerToMetadataFilter}: response_rules are not supported`)
  return requestRules.map(decodeRule)
}

function decodeRule({ header, cookie, onHeaderPresent: pair, onHeaderMissing, remove }: Config_Rule): SubsetKeySpec {
  const known = header !== '' && cookie === '' && onHeaderMissing === undefined && !remove
  const plain =
    pair?.metadataNamespace === metadataNamespace &&
    pair.value === '' &&
    pair.regexValueRewrite === undefined &&
    pair.type === 0 &&
    pair.encode === 0
  if (!known || !plain)
    throw new Error(`${headerToMetadataFilter}: expected headers that are put into ${metadataNamespace} as they are`)
  return { label: pair.key, header: header.toLowerCase() }
}
