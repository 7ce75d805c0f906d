// One message of OTLP to a collector, by OTLP/gRPC or OTLP/HTTP, through the collector's cluster as every request of the proxy's own.
import { HeaderList } from '../../core/header-list.ts'
import type { OtlpSignal } from '../../policies/otlp.xds.ts'
import type { TraceCollectorSpec } from '../../policies/tracing/tracing.spec.ts'
import { askCluster } from '../upstream/ask-cluster.ts'
import { type AskDeps, askGrpc, namedCluster } from '../upstream/ask-grpc.ts'

/** Rejects when the collector has not taken it. Resolves with how many items it has refused. */
export async function sendOtlp(
  deps: AskDeps,
  { grpcPath, rejected }: OtlpSignal,
  { cluster, path, timeoutMs }: TraceCollectorSpec,
  message: Uint8Array,
): Promise<number> {
  const abort = new AbortController()
  const timer = deps.clock.setTimer(timeoutMs, () => abort.abort())
  try {
    if (path === undefined) return rejected(await askGrpc(deps, cluster, grpcPath, message, abort.signal))
    const headers = HeaderList.of(['content-type', 'application/x-protobuf'])
    const head = { method: 'POST', scheme: 'http', authority: cluster, path, headers } as const
    const question = { head, body: Buffer.from(message), spoken: 'HTTP/1.1' } as const
    const { status, body } = await askCluster(deps, namedCluster(deps.clusters, cluster), question, abort.signal)
    if (status < 200 || status > 299) throw new Error(`the collector answered with status ${status}`)
    return rejected(body)
  } finally {
    timer.cancel()
  }
}
