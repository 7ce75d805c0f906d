// A workload with telemetry of its own: another access log, spans for another collector, no metrics and no decision records. Of bytes too.
import { MeshBuilder } from '../../kit/mesh-builder.ts'
import { node } from './golden-case.ts'
import type { GoldenCase } from './golden-case.ts'

export const golden: GoldenCase = {
  mesh: new MeshBuilder()
    .settings({ tracing: { collector: { cluster: 'otel.example:4317', timeoutMs: 5_000 }, randomSamplingPercent: 1 } })
    .workload('default', 'web', {
      ports: [
        { name: 'http', port: 9080, protocol: 'http' },
        { name: 'tcp', port: 9081, protocol: 'tcp' },
      ],
      telemetry: {
        accessLog: { enabled: false, samplePercent: 1 },
        tracing: {
          collector: { cluster: 'other.example:4317', timeoutMs: 5_000 },
          randomSamplingPercent: 50,
          ignoresCallers: true,
          samplingRules: [{ matches: 'request.path == "/healthz"', samplingPercent: 0 }],
          attributes: [
            { name: 'tenant', kind: 'header', header: 'x-tenant' },
            { name: 'environment', kind: 'literal', value: 'production' },
          ],
        },
        muted: { metrics: true, decisionRecords: true },
        sources: [],
      },
      uses: [{ host: 'reviews.default.svc.cluster.local', port: 80 }],
    })
    .workload('default', 'reviews')
    .service('default', 'reviews'),
  node: node('sidecar', 'default', 'web'),
}
