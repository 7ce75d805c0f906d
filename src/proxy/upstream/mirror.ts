// Copies of requests to other backends: whatever comes of them, the caller does not notice. It is compared with what the caller got.
import type { RequestHead } from '../../contracts/http-message.ts'
import { MirrorComparison } from '../../policies/mirror/mirror-comparison.runtime.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { HttpProtocol } from '../codec/http-stream.ts'
import { Attempt, type AttemptDeps, type AttemptOwner } from './attempt.ts'

const mirrorTimeoutMs = 15_000

/** `primary`: the cluster that the request itself goes to. What it answers is to be told to the comparison. */
export function sendMirror(
  deps: AttemptDeps,
  primary: string,
  cluster: Cluster,
  spoken: HttpProtocol,
  request: RequestHead,
  body: Buffer,
): MirrorComparison {
  const comparison = new MirrorComparison((answers) => cluster.mirrored(primary, answers))
  const endpoint = cluster.allowsRequest() ? cluster.pick(undefined) : undefined
  if (endpoint === undefined) {
    comparison.mirrorOver(undefined)
    return comparison
  }
  const head: RequestHead = { ...request, headers: request.headers.clone() }
  head.headers.delete('expect')
  const owner: AttemptOwner = {
    attemptReady() {},
    attemptSlow() {},
    attemptConnected(stream) {
      if (body.length === 0) return
      stream.sendData(body)
      stream.sendEnd()
    },
    attemptInformational() {},
    attemptHead() {},
    attemptData() {},
    attemptEnd() {
      const { status, grpcStatus, startMs, respondedMs } = attempt
      comparison.mirrorOver({ status, grpcStatus, tookMs: respondedMs - startMs })
    },
    attemptDrain() {},
    attemptFailed() {
      comparison.mirrorOver(undefined)
    },
  }
  const outgoing = { head, length: body.length, upgrade: undefined }
  const attempt: Attempt = new Attempt(deps, cluster, endpoint, spoken, outgoing, owner)
  attempt.start(mirrorTimeoutMs)
  return comparison
}
