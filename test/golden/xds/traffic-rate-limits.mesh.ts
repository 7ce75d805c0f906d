// Rate limits at a workload: of all requests, by what they carry, and those that a server counts.
import { MeshBuilder } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .workload('default', 'web', {
      ports: [
        {
          name: 'http',
          port: 9080,
          protocol: 'http',
          rateLimits: {
            local: [
              {
                name: 'TrafficPolicy/default/web/default',
                tokenBucket: { maxTokens: 100, tokensPerFill: 50, fillIntervalMs: 1_000 },
                descriptor: [],
                enforcedShare: 1_000_000,
              },
              {
                name: 'TrafficPolicy/default/web/per-caller',
                tokenBucket: { maxTokens: 10, tokensPerFill: 10, fillIntervalMs: 60_000 },
                descriptor: [
                  { key: 'caller', by: { kind: 'caller' } },
                  { key: 'x-tenant', by: { kind: 'header', name: 'x-tenant' }, value: 'free' },
                  { key: 'method', by: { kind: 'method' } },
                  { key: 'path', by: { kind: 'path' } },
                  { key: 'remote_address', by: { kind: 'address' } },
                  { key: 'realm.tenant', by: { kind: 'claim', path: ['realm', 'tenant'] } },
                ],
                enforcedShare: 0,
              },
              {
                name: 'TrafficPolicy/default/web/together',
                tokenBucket: { maxTokens: 10, tokensPerFill: 5, fillIntervalMs: 1_000 },
                descriptor: [],
                enforcedShare: 1_000_000,
                shared: true,
                announced: true,
              },
            ],
            global: [
              {
                name: 'TrafficPolicy/default/web',
                domain: 'shop',
                server: {
                  cluster: 'limits.default.svc.cluster.local:80',
                  timeoutMs: 100,
                  failureModeDeny: true,
                  statusOnError: 503,
                },
                descriptors: [
                  [{ key: 'caller', by: { kind: 'caller' } }],
                  [
                    { key: 'tier', constant: 'free' },
                    { key: 'tenant', by: { kind: 'header', name: 'x-tenant' } },
                  ],
                ],
              },
            ],
          },
        },
      ],
    })
    .service('default', 'web', { workloads: ['web'] })
    .service('default', 'limits', { protocol: 'grpc', workloads: ['web'] }),
  node: node('sidecar', 'default', 'web'),
}
