// Ingress: two listeners share a port, the more specific one owns its hostname.
import { MeshBuilder, forward, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'shop')
    .service('default', 'shop')
    .gateway('default', 'public', [
      { name: 'any', port: 8080, virtualHosts: [{ hostname: '*', routes: [route('any', forward(['shop']))] }] },
      { name: 'own', port: 8080, hostname: 'own.example', virtualHosts: [] },
      { name: 'admin', port: 8081, hostname: '*.example', virtualHosts: [{ hostname: 'a.example', routes: [route('a', forward(['shop']))] }] },
    ]),
  node: node('gateway', 'default', 'public'),
}
