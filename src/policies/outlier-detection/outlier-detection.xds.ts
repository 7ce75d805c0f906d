// Outlier detection ↔ envoy.config.cluster.v3.OutlierDetection; what Envoy has no field for is a monitor of our own.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  OutlierDetection,
  OutlierDetectionSchema,
} from '../../contracts/xds/gen/envoy/config/cluster/v3/outlier_detection_pb.ts'
import { LatencyMonitorSchema } from '../../contracts/xds/gen/heddle/v1/outlier_detection_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { OutlierDetectionSpec } from './outlier-detection.spec.ts'

const on = 100
const off = 0

export function encodeOutlierDetection(spec: OutlierDetectionSpec): MessageInitShape<typeof OutlierDetectionSchema> {
  const { successRate, failurePercentage, latency, splitLocalOrigin } = spec
  return {
    ...encodeInARow(spec),
    splitExternalLocalOriginErrors: splitLocalOrigin,
    interval: encodeDuration(spec.intervalMs),
    baseEjectionTime: encodeDuration(spec.baseEjectionMs),
    maxEjectionTime: encodeDuration(spec.maxEjectionMs),
    maxEjectionPercent: spec.maxEjectionPercent,
    ...(spec.maxEjectionPercent === 0 ? {} : { alwaysEjectOneHost: true }),
    enforcingSuccessRate: successRate === undefined ? off : on,
    enforcingLocalOriginSuccessRate: off,
    ...(successRate === undefined
      ? {}
      : {
          successRateMinimumHosts: successRate.minimumHosts,
          successRateRequestVolume: successRate.requestVolume,
          successRateStdevFactor: successRate.stdevFactor,
        }),
    enforcingFailurePercentage: failurePercentage === undefined ? off : on,
    ...(failurePercentage === undefined
      ? {}
      : {
          failurePercentageThreshold: failurePercentage.threshold,
          failurePercentageMinimumHosts: failurePercentage.minimumHosts,
          failurePercentageRequestVolume: failurePercentage.requestVolume,
        }),
    monitors:
      latency === undefined ? [] : [{ name: 'latency', typedConfig: typedConfig(LatencyMonitorSchema, latency) }],
  }
}

/** Envoy takes no 0: what is not looked at is not enforced. */
function encodeInARow(spec: OutlierDetectionSpec) {
  const { consecutive5xx, consecutiveGatewayErrors, consecutiveLocalOriginFailures } = spec
  return {
    enforcingConsecutive5xx: consecutive5xx === 0 ? off : on,
    ...(consecutive5xx === 0 ? {} : { consecutive5xx }),
    enforcingConsecutiveGatewayFailure: consecutiveGatewayErrors === 0 ? off : on,
    ...(consecutiveGatewayErrors === 0 ? {} : { consecutiveGatewayFailure: consecutiveGatewayErrors }),
    enforcingConsecutiveLocalOriginFailure: consecutiveLocalOriginFailures === 0 ? off : on,
    ...(consecutiveLocalOriginFailures === 0 ? {} : { consecutiveLocalOriginFailure: consecutiveLocalOriginFailures }),
  }
}

/** Undefined: none asked for. Envoy's defaults where a field is absent; enforced in part is enforced. Throws an Error that says what is wrong. */
export function decodeOutlierDetection(message: OutlierDetection | undefined): OutlierDetectionSpec | undefined {
  if (message === undefined) return undefined
  const { enforcingSuccessRate = on, enforcingFailurePercentage = off } = message
  const split = message.splitExternalLocalOriginErrors
  const { enforcingConsecutive5xx = on, enforcingConsecutiveGatewayFailure = off } = message
  const { enforcingConsecutiveLocalOriginFailure = on } = message
  const baseEjectionMs = decodeOr(message.baseEjectionTime, 30_000, 'base_ejection_time')
  const latency = message.monitors.find((monitor) => isTypedConfig(monitor.typedConfig, LatencyMonitorSchema))
  return {
    consecutive5xx: enforcingConsecutive5xx === off ? 0 : (message.consecutive5xx ?? 5),
    consecutiveGatewayErrors: enforcingConsecutiveGatewayFailure === off ? 0 : (message.consecutiveGatewayFailure ?? 5),
    consecutiveLocalOriginFailures:
      !split || enforcingConsecutiveLocalOriginFailure === off ? 0 : (message.consecutiveLocalOriginFailure ?? 5),
    splitLocalOrigin: split,
    intervalMs: decodeOr(message.interval, 10_000, 'interval'),
    baseEjectionMs,
    maxEjectionMs: decodeOr(message.maxEjectionTime, Math.max(300_000, baseEjectionMs), 'max_ejection_time'),
    maxEjectionPercent: message.maxEjectionPercent ?? 10,
    ...(enforcingSuccessRate === off
      ? {}
      : {
          successRate: {
            minimumHosts: message.successRateMinimumHosts ?? 5,
            requestVolume: message.successRateRequestVolume ?? 100,
            stdevFactor: message.successRateStdevFactor ?? 1900,
          },
        }),
    ...(enforcingFailurePercentage === off
      ? {}
      : {
          failurePercentage: {
            minimumHosts: message.failurePercentageMinimumHosts ?? 5,
            requestVolume: message.failurePercentageRequestVolume ?? 50,
            threshold: message.failurePercentageThreshold ?? 85,
          },
        }),
    ...(latency === undefined ? {} : { latency: decodeLatency(latency) }),
  }
}

function decodeLatency(monitor: OutlierDetection['monitors'][number]): NonNullable<OutlierDetectionSpec['latency']> {
  const { factor, minimumHosts, requestVolume } = readTypedConfig(
    monitor.typedConfig,
    LatencyMonitorSchema,
    'outlier_detection: monitors',
  )
  return { factor, minimumHosts, requestVolume }
}

function decodeOr(duration: OutlierDetection['interval'], defaultMs: number, field: string): number {
  return duration === undefined ? defaultMs : decodeDuration(duration, `outlier_detection: ${field}`)
}
