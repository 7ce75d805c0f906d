// Load balancing ↔ envoy.config.cluster.v3.LoadBalancingPolicy, and what Envoy's Cluster says beside it.
import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'

import type {
  Cluster,
  ClusterSchema,
  LoadBalancingPolicy,
  LoadBalancingPolicy_PolicySchema,
} from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClientSideWeightedRoundRobinSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin_pb.ts'
import type {
  LocalityLbConfig,
  SlowStartConfig,
} from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/common/v3/common_pb.ts'
import { LeastRequestSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts'
import { MaglevSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.ts'
import { RandomSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/random/v3/random_pb.ts'
import { RingHashSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.ts'
import { RoundRobinSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts'
import { SubsetSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb.ts'
import { WrrLocalitySchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb.ts'
import { LocalityFailoverSchema, PeakEwmaSchema } from '../../contracts/xds/gen/heddle/v1/load_balancing_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { LoadBalancingAlgorithm, LoadBalancingSpec, SlowStartSpec } from './load-balancing.spec.ts'
import { decodeSubsets, encodeSubsets } from './subsets.xds.ts'

type PolicyInit = MessageInitShape<typeof LoadBalancingPolicy_PolicySchema>

/** The policy asked for, then what serves instead with data planes that do not know it: they take the first they know. */
export function encodeLoadBalancing(
  spec: LoadBalancingSpec,
): Pick<MessageInitShape<typeof ClusterSchema>, 'loadBalancingPolicy' | 'commonLbConfig'> {
  const { panicThresholdPercent, subsets } = spec
  const within = spec.locality === 'failover' ? encodeFailover(spec) : encodePolicies(spec)
  const policies =
    subsets === undefined
      ? within
      : [
          envoyPolicy('subset', SubsetSchema, { ...encodeSubsets(subsets), subsetLbPolicy: { policies: within } }),
          ...within,
        ]
  return {
    loadBalancingPolicy: { policies },
    ...(panicThresholdPercent === undefined
      ? {}
      : { commonLbConfig: { healthyPanicThreshold: { value: panicThresholdPercent } } }),
  }
}

function encodeFailover(spec: LoadBalancingSpec): PolicyInit[] {
  const policies = encodePolicies(spec)
  const config = typedConfig(LocalityFailoverSchema, { endpointPickingPolicy: { policies } })
  return [policy('heddle.load_balancing_policies.locality_failover', config), ...policies]
}

function encodePolicies(spec: LoadBalancingSpec): PolicyInit[] {
  const zones = encodeLocality(spec.locality)
  const localityWeights = spec.locality === 'weighted' ? { localityWeightedLbConfig: {} } : {}
  const settings = { ...zones, ...encodeSlowStart(spec.slowStart) }
  const roundRobin = envoyPolicy('round_robin', RoundRobinSchema, settings)
  switch (spec.kind) {
    case 'round-robin':
      return [roundRobin]
    case 'client-side-weighted-round-robin': {
      const { blackoutMs, weightExpirationMs, weightUpdateMs, errorUtilizationPenalty } = spec
      const config = {
        blackoutPeriod: encodeDuration(blackoutMs),
        weightExpirationPeriod: encodeDuration(weightExpirationMs),
        weightUpdatePeriod: encodeDuration(weightUpdateMs),
        errorUtilizationPenalty,
      }
      const byReports = envoyPolicy('client_side_weighted_round_robin', ClientSideWeightedRoundRobinSchema, config)
      if (spec.locality !== 'weighted') return [byReports, roundRobin]
      const endpointPickingPolicy = { policies: [byReports] }
      return [envoyPolicy('wrr_locality', WrrLocalitySchema, { endpointPickingPolicy }), roundRobin]
    }
    case 'random':
      return [envoyPolicy('random', RandomSchema, zones), roundRobin]
    case 'least-request': {
      const { choiceCount, activeRequestBias } = spec
      const bias = activeRequestBias === undefined ? {} : { activeRequestBias: { defaultValue: activeRequestBias } }
      return [envoyPolicy('least_request', LeastRequestSchema, { choiceCount, ...bias, ...settings }), roundRobin]
    }
    case 'peak-ewma': {
      const { choiceCount, decayMs } = spec
      const peakEwma = typedConfig(PeakEwmaSchema, { choiceCount, decayTime: encodeDuration(decayMs), ...settings })
      return [
        policy('heddle.load_balancing_policies.peak_ewma', peakEwma),
        envoyPolicy('least_request', LeastRequestSchema, { choiceCount, ...settings }),
        roundRobin,
      ]
    }
    case 'ring-hash': {
      const { minRingSize, maxRingSize, balanceFactorPercent } = spec
      const sizes = { minimumRingSize: BigInt(minRingSize), maximumRingSize: BigInt(maxRingSize) }
      const init = { ...sizes, ...encodeBound(balanceFactorPercent), ...localityWeights }
      return [envoyPolicy('ring_hash', RingHashSchema, init), roundRobin]
    }
    case 'maglev':
    default: {
      const { tableSize, balanceFactorPercent } = spec
      const init = { tableSize: BigInt(tableSize), ...encodeBound(balanceFactorPercent), ...localityWeights }
      return [envoyPolicy('maglev', MaglevSchema, init), roundRobin]
    }
  }
}

function encodeSlowStart(slowStart: SlowStartSpec | undefined) {
  if (slowStart === undefined) return {}
  const { windowMs, aggression, minWeightPercent } = slowStart
  const slowStartConfig = {
    slowStartWindow: encodeDuration(windowMs),
    aggression: { defaultValue: aggression },
    minWeightPercent: { value: minWeightPercent },
  }
  return { slowStartConfig }
}

const zoneAware = { localityConfigSpecifier: { case: 'zoneAwareLbConfig' as const, value: {} } }
const byWeight = { localityConfigSpecifier: { case: 'localityWeightedLbConfig' as const, value: {} } }

function encodeLocality(locality: LoadBalancingSpec['locality']) {
  if (locality === 'zone-aware') return { localityLbConfig: zoneAware }
  return locality === 'weighted' ? { localityLbConfig: byWeight } : {}
}

function envoyPolicy<Desc extends DescMessage>(name: string, schema: Desc, init: MessageInitShape<Desc>): PolicyInit {
  return policy(`envoy.load_balancing_policies.${name}`, typedConfig(schema, init))
}

function policy(name: string, config: Any): PolicyInit {
  return { typedExtensionConfig: { name, typedConfig: config } }
}

function encodeBound(hashBalanceFactor: number | undefined) {
  return hashBalanceFactor === undefined ? {} : { consistentHashingLbConfig: { hashBalanceFactor } }
}

/** The first policy that is known; where there is none, endpoints are compared by their active requests. Throws an Error that says what cannot be served. */
export function decodeLoadBalancing(cluster: Cluster): LoadBalancingSpec {
  const threshold = cluster.commonLbConfig?.healthyPanicThreshold?.value
  return {
    ...decodePolicies(cluster.loadBalancingPolicy),
    ...(threshold === undefined ? {} : { panicThresholdPercent: threshold }),
  }
}

function decodePolicies(list: LoadBalancingPolicy | undefined): LoadBalancingSpec {
  for (const { typedExtensionConfig } of list?.policies ?? []) {
    const config = typedExtensionConfig?.typedConfig
    if (isTypedConfig(config, LocalityFailoverSchema)) {
      const { endpointPickingPolicy } = readTypedConfig(config, LocalityFailoverSchema, place)
      return { ...decodePolicies(endpointPickingPolicy), locality: 'failover' }
    }
    if (isTypedConfig(config, WrrLocalitySchema)) {
      const { endpointPickingPolicy } = readTypedConfig(config, WrrLocalitySchema, place)
      return { ...decodePolicies(endpointPickingPolicy), locality: 'weighted' }
    }
    if (isTypedConfig(config, SubsetSchema)) {
      const subset = readTypedConfig(config, SubsetSchema, place)
      return { ...decodePolicies(subset.subsetLbPolicy), subsets: decodeSubsets(subset) }
    }
    const known = decodePolicy(config)
    if (known !== undefined) return known
  }
  return defaultAlgorithm
}

function decodeSettings(message: {
  readonly localityLbConfig?: LocalityLbConfig | undefined
  readonly slowStartConfig?: SlowStartConfig | undefined
}): Pick<LoadBalancingSpec, 'locality' | 'slowStart'> {
  const { localityLbConfig, slowStartConfig } = message
  const locality = localityOf[localityLbConfig?.localityConfigSpecifier.case ?? 'none']
  const slowStart = slowStartConfig === undefined ? undefined : decodeSlowStart(slowStartConfig)
  return {
    ...(locality === undefined ? {} : { locality }),
    ...(slowStart === undefined ? {} : { slowStart }),
  }
}

const localityOf = { zoneAwareLbConfig: 'zone-aware', localityWeightedLbConfig: 'weighted', none: undefined } as const

/** Of the policies that hash. */
function decodeWeighted(config: object | undefined): Pick<LoadBalancingSpec, 'locality'> {
  return config === undefined ? {} : { locality: 'weighted' }
}

/** Without a window there is none. Defaults are Envoy's. */
function decodeSlowStart(config: SlowStartConfig): SlowStartSpec | undefined {
  const { slowStartWindow, aggression, minWeightPercent } = config
  const windowMs = slowStartWindow === undefined ? 0 : decodeDuration(slowStartWindow, 'slow_start_window')
  if (windowMs === 0) return undefined
  const exponent = aggression?.defaultValue ?? 1
  if (!(exponent > 0)) throw new Error(`${place}: aggression ${exponent} is not above 0`)
  return { windowMs, aggression: exponent, minWeightPercent: minWeightPercent?.value ?? 10 }
}

const defaultAlgorithm: LoadBalancingAlgorithm = { kind: 'least-request', choiceCount: 2 }
const place = 'load_balancing_policy'
/** Envoy's. */
const defaultMinRingSize = 1024n
const defaultMaxRingSize = 8_388_608n
const defaultTableSize = 65_537n
const maxTableSize = 5_000_011n

function decodePolicy(config: Any | undefined): LoadBalancingSpec | undefined {
  if (isTypedConfig(config, RoundRobinSchema)) {
    return { kind: 'round-robin', ...decodeSettings(readTypedConfig(config, RoundRobinSchema, place)) }
  }
  if (isTypedConfig(config, ClientSideWeightedRoundRobinSchema)) {
    const message = readTypedConfig(config, ClientSideWeightedRoundRobinSchema, place)
    const { blackoutPeriod, weightExpirationPeriod, weightUpdatePeriod, errorUtilizationPenalty = 1 } = message
    return {
      kind: 'client-side-weighted-round-robin',
      blackoutMs: blackoutPeriod === undefined ? 10_000 : decodeDuration(blackoutPeriod, 'blackout_period'),
      weightExpirationMs:
        weightExpirationPeriod === undefined
          ? 180_000
          : decodeDuration(weightExpirationPeriod, 'weight_expiration_period'),
      // gRFC A58: no more often
      weightUpdateMs: Math.max(
        100,
        weightUpdatePeriod === undefined ? 1_000 : decodeDuration(weightUpdatePeriod, 'weight_update_period'),
      ),
      errorUtilizationPenalty,
    }
  }
  if (isTypedConfig(config, RandomSchema)) {
    return { kind: 'random', ...decodeSettings(readTypedConfig(config, RandomSchema, place)) }
  }
  if (isTypedConfig(config, LeastRequestSchema)) {
    const message = readTypedConfig(config, LeastRequestSchema, place)
    const { choiceCount = 2, activeRequestBias } = message
    const bias = activeRequestBias === undefined ? {} : { activeRequestBias: activeRequestBias.defaultValue }
    return { kind: 'least-request', choiceCount, ...bias, ...decodeSettings(message) }
  }
  if (isTypedConfig(config, PeakEwmaSchema)) {
    const message = readTypedConfig(config, PeakEwmaSchema, place)
    const { choiceCount, decayTime } = message
    const decayMs = decayTime === undefined ? 0 : decodeDuration(decayTime, 'decay_time')
    if (decayMs === 0) throw new Error(`${place}: decay_time is missing`)
    return { kind: 'peak-ewma', choiceCount: choiceCount || 2, decayMs, ...decodeSettings(message) }
  }
  if (isTypedConfig(config, RingHashSchema)) {
    const message = readTypedConfig(config, RingHashSchema, place)
    const { minimumRingSize = defaultMinRingSize, maximumRingSize = defaultMaxRingSize } = message
    const bound = message.consistentHashingLbConfig?.hashBalanceFactor ?? message.hashBalanceFactor
    return {
      kind: 'ring-hash',
      minRingSize: Number(minimumRingSize),
      maxRingSize: Number(maximumRingSize),
      ...decodeBound(bound),
      ...decodeWeighted(message.localityWeightedLbConfig),
    }
  }
  if (isTypedConfig(config, MaglevSchema)) {
    const message = readTypedConfig(config, MaglevSchema, place)
    const { tableSize = defaultTableSize, consistentHashingLbConfig } = message
    if (!isPrime(tableSize))
      throw new Error(`${place}: table_size ${tableSize} is not a prime number up to ${maxTableSize}`)
    return {
      kind: 'maglev',
      tableSize: Number(tableSize),
      ...decodeBound(consistentHashingLbConfig?.hashBalanceFactor),
      ...decodeWeighted(message.localityWeightedLbConfig),
    }
  }
  return undefined
}

function isPrime(value: bigint): boolean {
  if (value < 3n || value > maxTableSize) return false
  for (let divisor = 2n; divisor * divisor <= value; divisor++) if (value % divisor === 0n) return false
  return true
}

/** 0 is none. */
function decodeBound(hashBalanceFactor = 0): { readonly balanceFactorPercent?: number } {
  return hashBalanceFactor === 0 ? {} : { balanceFactorPercent: hashBalanceFactor }
}
