// An access log of some requests, in a file, with fields of its own.
import { MeshBuilder, forward, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .settings({
      accessLog: {
        enabled: true,
        samplePercent: 20,
        matches: 'response.status != 404 && request.path.startsWith("/shop/")',
        json: { status: '%RESPONSE_CODE%', request: { line: '%REQ(:METHOD)% %REQ(:PATH)%' } },
        output: { kind: 'file', path: '/var/log/heddle/access.log', rotation: { longestBytes: 1_048_576, keptFiles: 5 } },
      },
    })
    .workload('default', 'web')
    .service('default', 'web')
    .gateway('default', 'edge', [
      { name: 'http', port: 8080, virtualHosts: [{ hostname: '*', routes: [route('all', forward(['web']))] }] },
    ]),
  node: node('gateway', 'default', 'edge'),
}
