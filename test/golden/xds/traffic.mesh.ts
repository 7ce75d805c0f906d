// What TrafficPolicies say of clusters; a port without one is as everywhere.
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
          retryBudget: { percent: 10, minConcurrency: 1 },
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
    .service('default', 'prices', {
      workloads: ['web'],
      servicePort: { traffic: { loadBalancing: { kind: 'peak-ewma', choiceCount: 2, decayMs: 10_000 } } },
    }),
  node: node('sidecar', 'default', 'web'),
}
