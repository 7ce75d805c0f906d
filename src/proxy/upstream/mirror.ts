// Copies of requests to other backends: sent and forgotten, whatever comes of them.
import type { RequestHead } from '../../contracts/http-message.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { HttpProtocol } from '../codec/http-stream.ts'
import { Attempt, type AttemptDeps, type AttemptOwner } from './attempt.ts'

const mirrorTimeoutMs = 15_000

export function sendMirror(
  deps: AttemptDeps,
  cluster: Cluster,
  spoken: HttpProtocol,
  request: RequestHead,
  body: Buffer,
): void {
  const endpoint = cluster.allowsRequest() ? cluster.pick(undefined) : undefined
  if (endpoint === undefined) return
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
    attemptEnd() {},
    attemptDrain() {},
    attemptFailed() {},
  }
  const outgoing = { head, length: body.length, upgrade: undefined }
  new Attempt(deps, cluster, endpoint, spoken, outgoing, owner).start(mirrorTimeoutMs)
}
