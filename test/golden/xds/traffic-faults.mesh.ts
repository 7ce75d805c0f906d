// Faults of a destination on the routes to it: of one backend, of one of several, and only for some callers.
import { forward, MeshBuilder, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

const always = 1_000_000

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'web')
    .service('default', 'reviews', {
      workloads: ['web'],
      servicePort: {
        traffic: {
          faults: {
            spec: {
              headers: [{ name: 'x-test', kind: 'exact', value: 'on' }],
              delay: { share: 5_000, by: { kind: 'fixed', delayMs: 2_000 } },
              abort: { share: always, by: { kind: 'grpc', status: 14 } },
              maxActiveFaults: 10,
            },
            callers: [{ namespace: 'default', serviceAccount: 'web' }],
          },
        },
      },
    })
    .service('default', 'ratings', {
      workloads: ['web'],
      servicePort: {
        traffic: {
          faults: {
            spec: { headers: [], reset: { share: always } },
            callers: [{ namespace: 'default', serviceAccount: 'other' }],
          },
        },
      },
    })
    .service('default', 'front', { workloads: ['web'], routes: [route('split', forward(['reviews=1', 'ratings=1']))] }),
  node: node('sidecar', 'default', 'web'),
}
