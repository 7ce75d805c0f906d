// TLS towards the outside: with the runtime's roots, and with roots by name.
import { MeshBuilder } from '../../kit/mesh-builder.ts'
import { shopRoots } from '../../kit/test-certificates.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

const at = (host: string) => [{ kind: 'address' as const, host, port: 443, weight: 1, dns: true }]

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'web')
    .secret('roots|configmap|default/partner', shopRoots)
    .external('api.example.com', 80, at('api.example.com'), {
      originateTls: { serverName: 'api.example.com', subjectAltNames: [{ type: 'dns', value: 'api.example.com' }] },
    })
    .external('partner.example', 80, at('partner.example'), {
      originateTls: {
        serverName: 'inner.partner.example',
        subjectAltNames: [
          { type: 'dns', value: 'a.partner.example' },
          { type: 'uri', value: 'spiffe://partner/api' },
        ],
        rootsSecret: 'roots|configmap|default/partner',
      },
    }),
  node: node('sidecar', 'default', 'web'),
}
