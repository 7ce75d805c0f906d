// Who may reach services outside the mesh: requests (one route splits, and mirrors), bytes by a listener of their own and by CONNECT.
import { MeshBuilder, appliedPolicy, forward, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

const external = (host: string, port: number) => [{ kind: 'address', host, port, weight: 1, dns: false }] as const
const web = { source: { serviceAccounts: ['web'] } }
const other = { source: { serviceAccounts: ['other'] } }
const api = [
  appliedPolicy('api-callers', { rules: [{ from: [other] }, { from: [web], to: [{ operation: { paths: ['/v1/*'] } }] }] }),
  appliedPolicy('no-deletes', { action: 'DENY', rules: [{ from: [web, other], to: [{ operation: { methods: ['DELETE'] } }] }] }),
  appliedPolicy('watched', { action: 'AUDIT', rules: [{}] }),
]
const db = [appliedPolicy('db-callers', { rules: [{ from: [other] }] })]
const sealed = [appliedPolicy('sealed-callers', { dryRun: true, rules: [{ from: [web] }] })]
const stream = {
  name: 'TLSRoute/default/sealed/0',
  source: { document: 'TLSRoute/default/sealed' },
  hostnames: ['sealed.example'],
  backends: [{ host: 'sealed.example', port: 443, weight: 1 }],
}
const split = forward(['web=9'], {
  backends: [
    { host: 'web.default.svc.cluster.local', port: 80, weight: 9 },
    { host: 'api.example', port: 80, weight: 1 },
  ],
  mirrors: [
    { host: 'api.example', port: 80, numerator: 1, denominator: 100 },
    { host: 'free.example', port: 80, numerator: 1, denominator: 100 },
  ],
})

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'web', {
      uses: [
        { host: 'api.example', port: 80 },
        { host: 'sealed.example', port: 443 },
      ],
    })
    .service('default', 'web', { routes: [route('split', split)] })
    .external('api.example', 80, external('192.0.2.1', 8080), {}, api)
    .external('free.example', 80, external('192.0.2.2', 8080))
    .external('db.example', 5432, external('192.0.2.3', 5432), { protocol: 'tcp' }, db)
    .external('sealed.example', 443, external('192.0.2.4', 443), { protocol: 'tls', streams: [stream] }, sealed),
  node: node('sidecar', 'default', 'web'),
}
