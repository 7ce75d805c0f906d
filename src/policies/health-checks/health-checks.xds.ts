// Health checks ↔ envoy.config.core.v3.HealthCheck, and which endpoints are not asked.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { HealthCheckSpec, HealthQuestion } from '../../contracts/health-check.ts'
import type { HealthCheck, HealthCheckSchema } from '../../contracts/xds/gen/envoy/config/core/v3/health_check_pb.ts'
import type {
  Endpoint,
  Endpoint_HealthCheckConfigSchema,
} from '../../contracts/xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import { CodecClientType } from '../../contracts/xds/gen/envoy/type/v3/http_pb.ts'
import type { HttpProtocol } from '../http-protocol/http-protocol.spec.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'

type HealthCheckInit = MessageInitShape<typeof HealthCheckSchema>

/** Of what Heddle spreads by itself; Envoy has to be told. */
const jitterPercent = 10

/** `spoken`: by the endpoints. */
export function encodeHealthChecks(spec: HealthCheckSpec | undefined, spoken: HttpProtocol): HealthCheckInit[] {
  if (spec === undefined) return []
  const interval = encodeDuration(spec.intervalMs)
  return [
    {
      timeout: encodeDuration(spec.timeoutMs),
      interval,
      noTrafficInterval: interval,
      initialJitter: interval,
      intervalJitterPercent: jitterPercent,
      healthyThreshold: spec.healthyThreshold,
      unhealthyThreshold: spec.unhealthyThreshold,
      healthChecker: encodeQuestion(spec.question, spoken),
    },
  ]
}

function encodeQuestion(question: HealthQuestion, spoken: HttpProtocol): NonNullable<HealthCheckInit['healthChecker']> {
  if (question.kind === 'tcp') return { case: 'tcpHealthCheck', value: {} }
  if (question.kind === 'grpc') return { case: 'grpcHealthCheck', value: { serviceName: question.service } }
  const { path, host = '', headers, statuses } = question
  return {
    case: 'httpHealthCheck',
    value: {
      host,
      path,
      requestHeadersToAdd: headers.map((header) => ({ header: { key: header.name, value: header.value } })),
      expectedStatuses: statuses.map(({ start, end }) => ({ start: BigInt(start), end: BigInt(end) })),
      codecClientType: spoken === 'http2' ? CodecClientType.HTTP2 : CodecClientType.HTTP1,
    },
  }
}

/** Undefined: nobody is asked. Throws an Error that says what cannot be done. */
export function decodeHealthChecks(checks: readonly HealthCheck[]): HealthCheckSpec | undefined {
  const [check] = checks
  if (check === undefined) return undefined
  if (checks.length > 1) throw new Error('health_checks: more than one is not supported')
  const intervalMs = check.interval === undefined ? 0 : decodeDuration(check.interval, 'health_checks: interval')
  const timeoutMs = check.timeout === undefined ? 0 : decodeDuration(check.timeout, 'health_checks: timeout')
  if (intervalMs === 0 || timeoutMs === 0) throw new Error('health_checks: interval and timeout must be more than 0')
  return {
    question: decodeQuestion(check),
    intervalMs,
    timeoutMs,
    healthyThreshold: Math.max(1, check.healthyThreshold ?? 1),
    unhealthyThreshold: Math.max(1, check.unhealthyThreshold ?? 1),
  }
}

function decodeQuestion({ healthChecker: checker }: HealthCheck): HealthQuestion {
  if (checker.case === 'tcpHealthCheck') {
    if (checker.value.send !== undefined || checker.value.receive.length > 0)
      throw new Error('health_checks: tcp_health_check with a payload is not supported')
    return { kind: 'tcp' }
  }
  if (checker.case === 'grpcHealthCheck') return { kind: 'grpc', service: checker.value.serviceName }
  if (checker.case !== 'httpHealthCheck')
    throw new Error('health_checks: expected http_health_check, grpc_health_check or tcp_health_check')
  const { host, path, requestHeadersToAdd, expectedStatuses } = checker.value
  const ranges = expectedStatuses.map(({ start, end }) => ({ start: Number(start), end: Number(end) }))
  return {
    kind: 'http',
    path,
    ...(host === '' ? {} : { host }),
    headers: requestHeadersToAdd.map(({ header }) => ({ name: header?.key ?? '', value: header?.value ?? '' })),
    // Envoy: 200 alone
    statuses: ranges.length === 0 ? [{ start: 200, end: 201 }] : ranges,
  }
}

/** Of an endpoint whose own host asks it. */
export const notAsked: MessageInitShape<typeof Endpoint_HealthCheckConfigSchema> = { disableActiveHealthCheck: true }

export function isAsked({ healthCheckConfig }: Endpoint): boolean {
  return healthCheckConfig?.disableActiveHealthCheck !== true
}
