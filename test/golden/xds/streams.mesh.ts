// Bytes beside requests: ports that are declared, ports that are not, and routes for connections, where plaintext is let in.
import { MeshBuilder, source } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

const host = (name: string): string => `${name}.default.svc.cluster.local`
const uses = ['any', 'bytes', 'secure'].map((name) => ({ host: host(name), port: 80 }))
const stream = (kind: string, hostnames: readonly string[], to: string) => ({
  name: `${kind}/default/to-${to}/0`,
  source: source(`${kind}/default/to-${to}`),
  hostnames,
  backends: [{ host: host(to), port: 80, weight: 1 }],
})

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .settings({ peerAuthentication: 'PERMISSIVE' })
    .workload('default', 'web', {
      uses,
      ports: [
        { name: 'http', port: 9080, protocol: 'http' },
        { name: 'tcp', port: 9081, protocol: 'tcp' },
        { name: 'any', port: 9082, protocol: 'auto' },
      ],
    })
    .workload('default', 'far')
    .service('default', 'any', { workloads: ['far'], servicePort: { protocol: 'auto' } })
    .service('default', 'bytes', { workloads: ['far'], servicePort: { protocol: 'tcp' } })
    .service('default', 'secure', {
      workloads: ['far'],
      servicePort: {
        protocol: 'tls',
        streams: [stream('TLSRoute', ['a.example', '*.b.example'], 'any'), stream('TCPRoute', [], 'bytes')],
        consumerStreams: new Map([['elsewhere', [stream('TCPRoute', [], 'any')]]]),
      },
    }),
  node: node('sidecar', 'default', 'web'),
}
