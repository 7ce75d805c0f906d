// Two workloads, two Services, nothing else: what every mesh has.
import { MeshBuilder } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'web', { uses: [{ host: 'reviews.default.svc.cluster.local', port: 80 }] })
    .workload('default', 'reviews-v1', { serviceAccount: 'reviews' })
    .workload('default', 'reviews-v2', { serviceAccount: 'reviews' })
    .service('default', 'web')
    .service('default', 'reviews', { workloads: ['reviews-v1', 'reviews-v2'] }),
  node: node('sidecar', 'default', 'web'),
}
