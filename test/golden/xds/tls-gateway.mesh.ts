// TLS at the edge: certificates by SNI, hosts of other listeners answered with 421, TLS passed through, bytes after TLS, and plain TCP.
import { MeshBuilder, forward, route, source } from '../../kit/mesh-builder.ts'
import { shopCertificate } from '../../kit/test-certificates.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

const shop = { host: 'shop.default.svc.cluster.local', port: 80 }
const stream = (name: string, hostnames: readonly string[]) => ({
  name: `TLSRoute/default/${name}/0`,
  source: source(`TLSRoute/default/${name}`),
  hostnames,
  backends: [{ ...shop, weight: 3 }, { port: 80, weight: 1 }, { ...shop, weight: 0 }],
})

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'shop')
    .service('default', 'shop')
    .secret('certificate|default/shop', shopCertificate)
    .secret('certificate|default/another', shopCertificate)
    .gateway('default', 'public', [
      {
        name: 'own',
        port: 8443,
        protocol: 'HTTPS',
        hostname: 'own.example',
        certificates: ['certificate|default/shop', 'certificate|default/another'],
        virtualHosts: [{ hostname: 'own.example', routes: [route('own', forward(['shop']))] }],
      },
      {
        name: 'any',
        port: 8443,
        protocol: 'HTTPS',
        certificates: ['certificate|default/shop'],
        virtualHosts: [
          { hostname: '*', routes: [route('moved', { kind: 'redirect', redirect: { statusCode: 302, hostname: 'b.example' } })] },
        ],
      },
      {
        name: 'through',
        port: 8443,
        protocol: 'TLS',
        hostname: '*.through.example',
        streams: [stream('through', ['a.through.example'])],
      },
      {
        name: 'ended',
        port: 8444,
        protocol: 'TLS',
        certificates: ['certificate|default/shop'],
        streams: [stream('ended', ['*'])],
      },
      { name: 'bytes', port: 5432, protocol: 'TCP', streams: [{ ...stream('bytes', []), name: 'TCPRoute/default/bytes/0' }] },
      { name: 'unrouted', port: 5433, protocol: 'TCP' },
    ]),
  node: node('gateway', 'default', 'public'),
}
