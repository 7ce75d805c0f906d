// Endpoints by where they run, and how callers choose among them: by zone unless said otherwise.
import { MeshBuilder } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

const at = (zone: string, subZone = '') => ({ locality: { region: 'eu', zone, subZone } })

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'web', at('a'))
    .workload('default', 'reviews-a', { ...at('a', '1'), weight: 2 })
    .workload('default', 'reviews-b', at('b'))
    .workload('default', 'reviews-nowhere')
    .service('default', 'reviews', { workloads: ['reviews-b', 'reviews-a', 'reviews-nowhere'] })
    .service('default', 'carts', {
      workloads: ['reviews-a', 'reviews-b'],
      servicePort: { traffic: { loadBalancing: { kind: 'random', locality: 'failover' } } },
    })
    .service('default', 'stock', {
      workloads: ['reviews-a', 'reviews-b', 'reviews-nowhere'],
      servicePort: {
        traffic: {
          loadBalancing: { kind: 'least-request', choiceCount: 2, locality: 'weighted' },
          localityWeights: [
            { region: 'eu', zone: 'b', weight: 20 },
            { region: 'eu', weight: 80 },
          ],
        },
      },
    }),
  node: node('sidecar', 'default', 'web'),
}
