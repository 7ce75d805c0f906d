// Subsets by labels: of a port without routes, and of one of two backends.
import { forward, MeshBuilder, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

const subsets = {
  selectors: [{ keys: ['version'], fallback: 'none' as const }],
  fallback: 'default' as const,
  defaultSubset: { version: 'v1' },
}

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'web')
    .workload('default', 'reviews-v1', { labels: { app: 'reviews', version: 'v1' } })
    .workload('default', 'reviews-v2', { labels: { app: 'reviews', version: 'v2' } })
    .service('default', 'reviews', {
      workloads: ['reviews-v1', 'reviews-v2'],
      servicePort: {
        traffic: {
          loadBalancing: { kind: 'least-request', choiceCount: 2, locality: 'failover', subsets },
          subsetKeys: [{ label: 'version', header: 'x-version' }],
        },
      },
    })
    .service('default', 'both', {
      workloads: ['web'],
      routes: [route('split', forward(['reviews=9', 'both=1'])), route('lone', forward(['reviews']))],
    }),
  node: node('sidecar', 'default', 'web'),
}
