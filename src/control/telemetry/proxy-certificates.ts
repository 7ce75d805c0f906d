// When the certificate of each proxy ends, as it reports itself.
import { proxyMetrics } from '../../contracts/telemetry/metrics.ts'
import type { NodeKind } from '../../contracts/xds/names.ts'
import type { ReportSink } from './reported-totals.ts'
import type { Reporter } from './reporting-proxy.ts'

export interface ProxyCertificate {
  readonly spiffeId: string
  /** Milliseconds since the Unix epoch. */
  readonly notAfterMs: number
}

/** There are never more proxies that report than this. */
const mostProxies = 20_000

export class ProxyCertificates {
  readonly #certificates = new Map<string, ProxyCertificate>()

  /** `name`: "namespace/name". */
  of(kind: NodeKind, name: string): ProxyCertificate | undefined {
    return this.#certificates.get(`${kind} ${name}`)
  }

  sink({ kind, name, spiffeId }: Reporter): ReportSink {
    const key = `${kind} ${name}`
    return {
      observed() {
        // says nothing of certificates
      },
      counted() {
        // says nothing of certificates
      },
      measured: (metric, _, seconds) => {
        if (metric !== proxyMetrics.certificateExpiry.name) return
        if (this.#certificates.size < mostProxies || this.#certificates.has(key))
          this.#certificates.set(key, { spiffeId, notAfterMs: seconds * 1000 })
      },
    }
  }
}
