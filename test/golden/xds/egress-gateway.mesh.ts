// A gateway that leads out of the mesh is a caller by its own name.
import { MeshBuilder, appliedPolicy, forward, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

const endpoint = { kind: 'address', host: '192.0.2.1', port: 8080, weight: 1, dns: false } as const
const callers = (account: string) => [
  appliedPolicy('callers', { rules: [{ from: [{ source: { principals: [`mesh.local/ns/default/sa/${account}`] } }] }] }),
]
const to = (host: string) => forward([], { backends: [{ host, port: 80, weight: 1 }] })

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .external('open.example', 80, [endpoint], {}, callers('gateway_edge'))
    .external('closed.example', 80, [endpoint], { protocol: 'tcp' }, callers('web'))
    .gateway('default', 'edge', [
      { name: 'http', port: 8080, virtualHosts: [{ hostname: '*', routes: [route('all', to('open.example'))] }] },
      {
        name: 'tcp',
        port: 9090,
        protocol: 'TCP',
        streams: [
          {
            name: 'TCPRoute/default/out/0',
            source: { document: 'TCPRoute/default/out' },
            hostnames: [],
            backends: [{ host: 'closed.example', port: 80, weight: 1 }],
          },
        ],
      },
    ]),
  node: node('gateway', 'default', 'edge'),
}
