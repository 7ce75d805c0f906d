// A GRPCRoute, and ports of every protocol.
import { MeshBuilder, forward, match, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

const cart = 'cart.default.svc.cluster.local'
const protocols = ['http', 'http2', 'grpc', 'auto'] as const
const mesh = new MeshBuilder()
  .workload('default', 'web', {
    ports: protocols.map((protocol, index) => ({ name: protocol, port: 9080 + index, protocol })),
  })
  .workload('default', 'cart', { ports: [{ name: 'grpc', port: 7070, protocol: 'grpc' }] })
  .service('default', 'cart', {
    port: 7070,
    protocol: 'grpc',
    routes: [
      route('method', forward(['cart']), { match: match({ path: { kind: 'exact', value: '/shop.Cart/Add' } }) }),
      route('service', forward(['cart']), { match: match({ path: { kind: 'prefix', value: '/shop.Cart/' } }) }),
      route('any service', forward(['cart']), { match: match({ path: { kind: 'regex', value: '/[^/]+/Add' } }) }),
      route('partly invalid', {
        ...forward([]),
        backends: [
          { host: cart, port: 7070, weight: 1 },
          { port: 7070, weight: 1 },
        ],
        invalidBackendStatus: 503,
      }),
      route('invalid', { kind: 'invalid', status: 503 }),
    ],
  })
for (const protocol of protocols) {
  const endpoints = [{ kind: 'address', host: '192.0.2.1', port: 80, weight: 1, dns: false }] as const
  mesh.service('plain', protocol, { protocol, endpoints })
}

export const golden: GoldenCase = { mesh, node: node('sidecar', 'default', 'web') }
