// Services outside the mesh, by address and by name; plaintext may come in, only known hosts may go out.
import { MeshBuilder } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .settings({ peerAuthentication: 'PERMISSIVE', outboundTrafficPolicy: 'registryOnly' })
    .workload('default', 'web')
    .service('default', 'mixed', {
      endpoints: [
        { kind: 'workload', workload: 'default/web', port: 9080, weight: 3 },
        { kind: 'address', host: '192.0.2.1', port: 8080, weight: 1, dns: false },
        { kind: 'address', host: '192.0.2.2', port: 8080, weight: 0, dns: false },
      ],
    })
    .external('api.example.com', 80, [{ kind: 'address', host: 'api.example.com', port: 8080, weight: 1, dns: true }]),
  node: node('sidecar', 'default', 'web'),
}
