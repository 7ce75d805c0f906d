// Faults ↔ envoy.extensions.filters.http.fault.v3.HTTPFault, heddle.v1.ResetFault and heddle.v1.FaultLease, per route or per weighted cluster. In FilterConfigs that
// say they are optional: who does not know such a filter does not refuse the routes for it.
import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import type { Any } from '@bufbuild/protobuf/wkt'

import { FilterConfigSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type {
  FaultDelay,
  FaultRateLimit,
} from '../../contracts/xds/gen/envoy/extensions/filters/common/fault/v3/fault_pb.ts'
import { HTTPFaultSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import type { FaultAbort, HTTPFault } from '../../contracts/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { FaultLeaseSchema } from '../../contracts/xds/gen/heddle/v1/fault_lease_pb.ts'
import { ResetFaultSchema } from '../../contracts/xds/gen/heddle/v1/reset_fault_pb.ts'
import { decodeHeaderMatch, encodeHeaderMatch } from '../route-match/route-match.xds.ts'
import { decodeDuration, decodeShare, encodeDuration, encodeShare } from '../scalars.xds.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { AbortSource, DelaySource, FaultsSpec, RateSource } from './faults.spec.ts'

/** Name of the HTTP filter, and key of its configuration on a route. */
export const faultFilter = 'envoy.filters.http.fault'
/** Keys of what Envoy's has no field for. */
const resetFaultFilter = 'heddle.reset_fault'
const faultLeaseFilter = 'heddle.fault_lease'
/** Keys of all that faults are made of. */
export const faultFilterNames: readonly string[] = [faultFilter, resetFaultFilter, faultLeaseFilter]

export function encodeFaults(spec: FaultsSpec | undefined): Record<string, Any> {
  if (spec === undefined) return {}
  const { delay, abort, reset, responseRateLimit, maxActiveFaults, untilMs } = spec
  const fault: MessageInitShape<typeof HTTPFaultSchema> = {
    headers: spec.headers.map(encodeHeaderMatch),
    ...(delay === undefined ? {} : { delay: encodeDelay(delay) }),
    ...(abort === undefined ? {} : { abort: encodeAbort(abort) }),
    ...(responseRateLimit === undefined ? {} : { responseRateLimit: encodeRate(responseRateLimit) }),
    ...(maxActiveFaults === undefined ? {} : { maxActiveFaults }),
  }
  return {
    [faultFilter]: optional(typedConfig(HTTPFaultSchema, fault)),
    ...(reset === undefined
      ? {}
      : { [resetFaultFilter]: optional(typedConfig(ResetFaultSchema, { percentage: encodeShare(reset.share) })) }),
    ...(untilMs === undefined
      ? {}
      : { [faultLeaseFilter]: optional(typedConfig(FaultLeaseSchema, { until: timestampFromMs(untilMs) })) }),
  }
}

function optional(config: Any): Any {
  return typedConfig(FilterConfigSchema, { isOptional: true, config })
}

type DelayInit = NonNullable<MessageInitShape<typeof HTTPFaultSchema>['delay']>
type AbortInit = NonNullable<MessageInitShape<typeof HTTPFaultSchema>['abort']>
type RateInit = NonNullable<MessageInitShape<typeof HTTPFaultSchema>['responseRateLimit']>

function encodeDelay({ share, by }: NonNullable<FaultsSpec['delay']>): DelayInit {
  const percentage = encodeShare(share)
  if (by.kind === 'header') return { percentage, faultDelaySecifier: { case: 'headerDelay', value: {} } }
  return { percentage, faultDelaySecifier: { case: 'fixedDelay', value: encodeDuration(by.delayMs) } }
}

function encodeAbort({ share, by }: NonNullable<FaultsSpec['abort']>): AbortInit {
  const percentage = encodeShare(share)
  if (by.kind === 'header') return { percentage, errorType: { case: 'headerAbort', value: {} } }
  return { percentage, errorType: { case: by.kind === 'http' ? 'httpStatus' : 'grpcStatus', value: by.status } }
}

function encodeRate({ share, by }: NonNullable<FaultsSpec['responseRateLimit']>): RateInit {
  const percentage = encodeShare(share)
  if (by.kind === 'header') return { percentage, limitType: { case: 'headerLimit', value: {} } }
  return { percentage, limitType: { case: 'fixedLimit', value: { limitKbps: BigInt(by.limitKbps) } } }
}

/** Undefined when there are none. Throws an Error that says what cannot be served. */
export function decodeFaults(typedPerFilterConfig: Readonly<Record<string, Any>>): FaultsSpec | undefined {
  const faultConfig = unwrapped(typedPerFilterConfig[faultFilter], faultFilter)
  const resetConfig = unwrapped(typedPerFilterConfig[resetFaultFilter], resetFaultFilter)
  if (faultConfig === undefined && resetConfig === undefined) return undefined
  const fault = faultConfig === undefined ? undefined : readTypedConfig(faultConfig, HTTPFaultSchema, faultFilter)
  const leaseConfig = unwrapped(typedPerFilterConfig[faultLeaseFilter], faultLeaseFilter)
  return {
    ...(fault === undefined ? { headers: [] } : decodeFault(fault)),
    ...(resetConfig === undefined ? {} : { reset: decodeReset(resetConfig) }),
    ...(leaseConfig === undefined ? {} : { untilMs: decodeUntil(leaseConfig) }),
  }
}

function decodeReset(config: Any): NonNullable<FaultsSpec['reset']> {
  const { percentage } = readTypedConfig(config, ResetFaultSchema, resetFaultFilter)
  return { share: decodeShare(percentage, 'reset_fault: percentage') }
}

/** Without a time it is over. */
function decodeUntil(config: Any): number {
  const { until } = readTypedConfig(config, FaultLeaseSchema, faultLeaseFilter)
  return until === undefined ? 0 : timestampMs(until)
}

/** Undefined also of one that is switched off for the route. */
function unwrapped(any: Any | undefined, name: string): Any | undefined {
  if (any === undefined || !isTypedConfig(any, FilterConfigSchema)) return any
  const { disabled, config } = readTypedConfig(any, FilterConfigSchema, name)
  return disabled ? undefined : config
}

function decodeFault(message: HTTPFault): FaultsSpec {
  const { delay, abort, responseRateLimit: rate, maxActiveFaults } = message
  if (message.upstreamCluster !== '') throw new Error('fault: upstream_cluster is not supported')
  if (message.downstreamNodes.length > 0) throw new Error('fault: downstream_nodes is not supported')
  return {
    headers: message.headers.map((header) => decodeHeaderMatch(header, 'fault: headers')),
    ...(delay === undefined
      ? {}
      : { delay: { share: decodeShare(delay.percentage, 'fault: delay'), by: decodeDelay(delay) } }),
    ...(abort === undefined
      ? {}
      : { abort: { share: decodeShare(abort.percentage, 'fault: abort'), by: decodeAbort(abort) } }),
    ...(rate === undefined
      ? {}
      : {
          responseRateLimit: {
            share: decodeShare(rate.percentage, 'fault: response_rate_limit'),
            by: decodeRate(rate),
          },
        }),
    ...(maxActiveFaults === undefined ? {} : { maxActiveFaults }),
  }
}

function decodeDelay({ faultDelaySecifier: by }: FaultDelay): DelaySource {
  if (by.case === 'fixedDelay') return { kind: 'fixed', delayMs: decodeDuration(by.value, 'fault: fixed_delay') }
  if (by.case === 'headerDelay') return { kind: 'header' }
  throw new Error('fault: delay needs fixed_delay or header_delay')
}

function decodeAbort({ errorType: by }: FaultAbort): AbortSource {
  if (by.case === 'headerAbort') return { kind: 'header' }
  if (by.case === 'httpStatus') {
    if (by.value < 200 || by.value > 599) throw new Error(`fault: abort: ${by.value} is not a status`)
    return { kind: 'http', status: by.value }
  }
  if (by.case === 'grpcStatus') return { kind: 'grpc', status: by.value }
  throw new Error('fault: abort needs http_status, grpc_status or header_abort')
}

function decodeRate({ limitType: by }: FaultRateLimit): RateSource {
  if (by.case === 'headerLimit') return { kind: 'header' }
  const limitKbps = by.case === 'fixedLimit' ? Number(by.value.limitKbps) : 0
  if (limitKbps < 1) throw new Error('fault: response_rate_limit needs a limit_kbps of 1 or more, or header_limit')
  return { kind: 'fixed', limitKbps }
}
