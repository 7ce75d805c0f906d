// A client that is its own data plane, gRPC for example: listeners by name of the service, no TLS of the mesh's.
import { MeshBuilder } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .settings({ peerAuthentication: 'PERMISSIVE' })
    .workload('default', 'greeter')
    .service('default', 'greeter'),
  node: node('other', 'default', ''),
}
