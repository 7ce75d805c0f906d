// Arbitrary traffic policies of clusters, in the form the model gives them.
import * as fc from 'fast-check'

import type { HealthCheckSpec, HealthQuestion } from '../../src/contracts/health-check.ts'
import type { AdaptiveConcurrencySpec } from '../../src/policies/adaptive-concurrency/adaptive-concurrency.spec.ts'
import type { CircuitBreakerSpec } from '../../src/policies/circuit-breaker/circuit-breaker.spec.ts'
import type { HedgingSpec } from '../../src/policies/hedging/hedging.spec.ts'
import type { OutlierDetectionSpec } from '../../src/policies/outlier-detection/outlier-detection.spec.ts'
import { record, milliseconds, token, text, path, host } from './arbitrary-specs.ts'

const compared = { minimumHosts: fc.integer({ min: 2, max: 100 }), requestVolume: fc.integer({ min: 1, max: 10_000 }) }
const inARow = fc.integer({ min: 0, max: 100 })

/** Failures of the connection are counted apart or not at all. */
export const outlierDetection: fc.Arbitrary<OutlierDetectionSpec> = record<OutlierDetectionSpec>(
  {
    consecutive5xx: inARow,
    consecutiveGatewayErrors: inARow,
    consecutiveLocalOriginFailures: inARow,
    splitLocalOrigin: fc.boolean(),
    intervalMs: milliseconds,
    baseEjectionMs: milliseconds,
    maxEjectionMs: milliseconds,
    maxEjectionPercent: fc.integer({ min: 0, max: 100 }),
    successRate: fc.record(
      { ...compared, stdevFactor: fc.integer({ min: 1, max: 10_000 }) },
      { noNullPrototype: true },
    ),
    failurePercentage: fc.record(
      { ...compared, threshold: fc.integer({ min: 1, max: 100 }) },
      { noNullPrototype: true },
    ),
    latency: fc.record(
      { ...compared, factor: fc.double({ min: 1.5, max: 100, noNaN: true }) },
      { noNullPrototype: true },
    ),
  },
  ['successRate', 'failurePercentage', 'latency'],
).map((spec) => (spec.splitLocalOrigin ? spec : { ...spec, consecutiveLocalOriginFailures: 0 }))

const limit = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 2 }), fc.constant(Infinity))

export const circuitBreaker: fc.Arbitrary<CircuitBreakerSpec> = fc.record(
  { maxConnections: limit, maxPendingRequests: limit, maxRequests: limit },
  { noNullPrototype: true },
)

export const adaptiveConcurrency: fc.Arbitrary<AdaptiveConcurrencySpec> = fc.record(
  {
    sampleAggregatePercentile: fc.integer({ min: 1, max: 99 }),
    maxConcurrencyLimit: fc.integer({ min: 1, max: 1_000_000 }),
    concurrencyUpdateIntervalMs: milliseconds,
    minRtt: fc.record(
      {
        intervalMs: milliseconds,
        requestCount: fc.integer({ min: 1, max: 250 }),
        jitterPercent: fc.integer({ min: 0, max: 100 }),
        minConcurrency: fc.integer({ min: 1, max: 1_000 }),
        bufferPercent: fc.integer({ min: 1, max: 500 }),
      },
      { noNullPrototype: true },
    ),
  },
  { noNullPrototype: true },
)

export const hedging: fc.Arbitrary<HedgingSpec> = fc.record(
  {
    percentile: fc.double({ min: 50, max: 99.99, noNaN: true }),
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    minDelayMs: milliseconds,
  },
  { noNullPrototype: true },
)

const healthQuestion: fc.Arbitrary<HealthQuestion> = fc.oneof(
  record<Extract<HealthQuestion, { kind: 'http' }>>(
    {
      kind: fc.constant('http'),
      path,
      host,
      headers: fc.array(fc.record({ name: token, value: text }, { noNullPrototype: true }), { maxLength: 2 }),
      statuses: fc.array(
        fc.record(
          { start: fc.integer({ min: 100, max: 599 }), end: fc.integer({ min: 101, max: 600 }) },
          { noNullPrototype: true },
        ),
        { minLength: 1, maxLength: 3 },
      ),
    },
    ['host'],
  ),
  fc.record({ kind: fc.constant('grpc' as const), service: text }, { noNullPrototype: true }),
  fc.record({ kind: fc.constant('tcp' as const) }, { noNullPrototype: true }),
)

export const healthCheck: fc.Arbitrary<HealthCheckSpec> = record<HealthCheckSpec>(
  {
    question: healthQuestion,
    intervalMs: milliseconds,
    timeoutMs: milliseconds,
    healthyThreshold: fc.integer({ min: 1, max: 1_000 }),
    unhealthyThreshold: fc.integer({ min: 1, max: 1_000 }),
  },
  [],
)
