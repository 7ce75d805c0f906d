// What TrafficPolicies say of clusters; a port without one is as everywhere.
import {
  adaptiveConcurrencySchema,
  toAdaptiveConcurrencySpec,
} from '../../../src/policies/adaptive-concurrency/adaptive-concurrency.schema.ts'
import { defaultOutlierDetection } from '../../../src/policies/outlier-detection/outlier-detection.schema.ts'
import { MeshBuilder } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'web')
    .service('default', 'reviews', {
      workloads: ['web'],
      servicePort: {
        traffic: {
          connectTimeoutMs: 250,
          loadBalancing: { kind: 'least-request', choiceCount: 3 },
          circuitBreaker: { maxConnections: 10, maxPendingRequests: Infinity, maxRequests: 100 },
          outlierDetection: { ...defaultOutlierDetection, consecutive5xx: 7, latency: { minimumHosts: 3, requestVolume: 50, factor: 4 } },
          adaptiveConcurrency: toAdaptiveConcurrencySpec(adaptiveConcurrencySchema.parse({ maxConcurrencyLimit: 200 })),
          callerLimits: { maxRequests: 20 },
          hedging: { percentile: 95, factor: 2, minDelayMs: 50 },
          retry: { attempts: 3, statusCodes: [503], grpcStatuses: [14], backoffMs: 25 },
          timeouts: { requestMs: 10_000, backendRequestMs: 2_000, idleMs: 0 },
          retryConstraint: { percent: 10, intervalMs: 5_000, minRetries: 1, minIntervalMs: 1_000 },
        },
      },
    })
    .service('default', 'carts', {
      workloads: ['web'],
      servicePort: {
        traffic: {
          loadBalancing: { kind: 'maglev', tableSize: 251, balanceFactorPercent: 125, panicThresholdPercent: 30 },
          hashPolicies: [
            { kind: 'header', name: 'x-user', terminal: true },
            { kind: 'cookie', name: 'user', ttlMs: 3_600_000, path: '/', terminal: true },
          ],
        },
      },
    })
    .service('default', 'stock', {
      workloads: ['web'],
      servicePort: {
        traffic: {
          loadBalancing: {
            kind: 'client-side-weighted-round-robin',
            blackoutMs: 10_000,
            weightExpirationMs: 180_000,
            weightUpdateMs: 1_000,
            errorUtilizationPenalty: 1,
          },
        },
      },
    })
    .service('default', 'prices', {
      workloads: ['web'],
      servicePort: {
        traffic: {
          loadBalancing: { kind: 'peak-ewma', choiceCount: 2, decayMs: 10_000 },
          sessionPersistence: { carrier: 'header', name: 'x-place', idleTimeoutMs: 60_000 },
        },
      },
    })
    .service('default', 'tickets', {
      workloads: ['web'],
      endpoints: [{ kind: 'address', host: '10.0.0.9', port: 80, weight: 1, dns: false }],
      servicePort: {
        traffic: {
          healthCheck: {
            question: { kind: 'http', path: '/healthz', headers: [{ name: 'x-probe', value: 'yes' }], statuses: [{ start: 200, end: 400 }] },
            intervalMs: 5_000,
            timeoutMs: 1_000,
            healthyThreshold: 1,
            unhealthyThreshold: 3,
          },
        },
      },
    }),
  node: node('sidecar', 'default', 'web'),
}
