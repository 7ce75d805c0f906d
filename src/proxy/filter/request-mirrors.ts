// The copies of one request that go to other clusters, and what each answers compared with what the caller got.
import type { MirrorComparison } from '../../policies/mirror/mirror-comparison.runtime.ts'
import type { ClusterSet } from '../cluster/cluster-set.ts'
import type { HttpProtocol } from '../codec/http-stream.ts'
import type { ForwardDecision } from '../runtime/decide.ts'
import type { Exchange } from '../telemetry/exchange.ts'
import type { AttemptDeps } from '../upstream/attempt.ts'
import { sendMirror } from '../upstream/mirror.ts'

export interface RequestMirrorsDeps extends AttemptDeps {
  readonly clusters: ClusterSet
}

export class RequestMirrors {
  readonly #deps: RequestMirrorsDeps
  readonly #decision: ForwardDecision
  #sent: readonly MirrorComparison[] | undefined

  constructor(deps: RequestMirrorsDeps, decision: ForwardDecision) {
    this.#deps = deps
    this.#decision = decision
  }

  /** Once. `body`: the whole of it; undefined: it was too long to keep. */
  send(body: Buffer | undefined, spoken: HttpProtocol): void {
    if (this.#sent !== undefined) return
    const { mirrors, cluster: primary, request } = this.#decision
    const clusters = mirrors.flatMap((name) => this.#deps.clusters.get(name) ?? [])
    if (body === undefined) {
      const skipped = { result: 'skipped', primary: undefined, mirror: undefined } as const
      for (const cluster of clusters) cluster.mirrored(primary, skipped)
      this.#sent = []
      return
    }
    this.#sent = clusters.map((cluster) => sendMirror(this.#deps, primary, cluster, spoken, request, body))
  }

  /** The request is over: what the caller got is known. */
  compare({ status, grpcStatus, attempts }: Exchange): void {
    const last = attempts.at(-1)
    const answer = last?.outcome === 'response' ? { status, grpcStatus, tookMs: last.durationMs } : undefined
    for (const comparison of this.#sent ?? []) comparison.primaryOver(answer)
  }
}
