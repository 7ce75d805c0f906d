// A namespace with routes of its own towards a Service of another.
import { MeshBuilder, forward, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('tenant', 'web', { ports: [] })
    .workload('default', 'v1')
    .workload('default', 'v2')
    .service('default', 'v1')
    .service('default', 'v2')
    .service('default', 'api', {
      workloads: ['v1', 'v2'],
      routes: [route('producer', forward(['v1']))],
      consumerRoutes: { tenant: [route('consumer', forward(['v2']))] },
    }),
  node: node('sidecar', 'tenant', 'web'),
}
