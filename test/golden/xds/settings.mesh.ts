// Mesh-wide HTTP settings, all other than by default, at a gateway.
import { MeshBuilder, forward, route } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .settings({
      accessLog: { enabled: true, samplePercent: 100, format: '%START_TIME% %RESPONSE_CODE%' },
      tracing: { collector: { cluster: 'otel.example:4318', path: '/v1/traces', timeoutMs: 5_000 }, randomSamplingPercent: 5 },
      metricsExport: { collector: { cluster: 'otel.example:4318', path: '/v1/metrics', timeoutMs: 5_000 }, intervalMs: 15_000, names: 'istio', histograms: 'exponential' },
      paths: { normalize: true, mergeSlashes: true, escapedSlashes: 'decode' },
      redaction: { fields: ['iban'], headers: ['x-customer'] },
      forwardedHeaders: {
        gateway: { appendForwardedFor: false, forwardedHeader: true, via: 'heddle', trustedHops: 2 },
        sidecar: { appendForwardedFor: false, forwardedHeader: false, via: undefined, trustedHops: 0 },
      },
    })
    .workload('default', 'web')
    .service('default', 'web')
    .gateway('default', 'edge', [
      { name: 'http', port: 8080, virtualHosts: [{ hostname: '*', routes: [route('all', forward(['web']))] }] },
    ]),
  node: node('gateway', 'default', 'edge'),
}
