// A process that asks a Workload API for its X.509-SVID and says what it got, one line of JSON: tests run it as other users and executables.
import { SpiffeWorkloadAPI } from '../../src/contracts/xds/gen/spiffe/workload_pb.ts'
import { WorkloadApiClient } from './workload-api-client.ts'

/** `spiffeId`, or why not. */
export interface CallerAnswer {
  readonly spiffeId?: string
  readonly code?: number
  readonly details?: string
}

const client = new WorkloadApiClient(process.argv[2] ?? '')
const stream = client.follow(SpiffeWorkloadAPI.method.fetchX509SVID, {})
const poll = setInterval(() => {
  const svid = stream.messages[0]?.svids[0]
  if (svid === undefined && stream.error === undefined) return
  clearInterval(poll)
  const answer: CallerAnswer =
    svid === undefined
      ? { code: stream.error?.code ?? 0, details: stream.error?.details ?? '' }
      : { spiffeId: svid.spiffeId }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
  stream.cancel()
  client.close()
}, 10)
