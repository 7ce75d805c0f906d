// One unary gRPC call to a cluster: for what the proxy itself has to ask.
import { HeaderList } from '../../core/header-list.ts'
import type { ClusterSet } from '../cluster/cluster-set.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { askCluster, type WholeAnswer } from './ask-cluster.ts'
import type { AttemptDeps } from './attempt.ts'
import { grpcStatusOf } from './grpc.ts'

export interface AskDeps extends AttemptDeps {
  readonly clusters: ClusterSet
}

const frameBytes = 5

/** `path`: "/package.Service/Method". Rejects when there is no answer; `signal`: nobody waits for one any more. */
export async function askGrpc(
  deps: AskDeps,
  cluster: string,
  path: string,
  message: Uint8Array,
  signal: AbortSignal,
): Promise<Buffer> {
  const body = Buffer.alloc(frameBytes + message.length)
  body.writeUInt32BE(message.length, 1)
  body.set(message, frameBytes)
  const headers = HeaderList.of(['content-type', 'application/grpc'], ['te', 'trailers'])
  const head = { method: 'POST', scheme: 'http', authority: cluster, path, headers } as const
  return unframed(
    await askCluster(deps, namedCluster(deps.clusters, cluster), { head, body, spoken: 'HTTP/2' }, signal),
  )
}

/** Throws an Error when there is none. */
export function namedCluster(clusters: ClusterSet, name: string): Cluster {
  const cluster = clusters.get(name)
  if (cluster === undefined) throw new Error(`there is no cluster ${name}`)
  return cluster
}

/** The one message of a gRPC answer. Throws an Error when there is none. */
function unframed({ status, headers, body, trailers }: WholeAnswer): Buffer {
  const code = grpcStatusOf(trailers) ?? grpcStatusOf(headers)
  if (status !== 200 || code !== 0) throw new Error(`the server answered with status ${status}, gRPC status ${code}`)
  if (body.length < frameBytes || body[0] !== 0 || body.readUInt32BE(1) !== body.length - frameBytes)
    throw new Error('the answer is not one uncompressed message')
  return body.subarray(frameBytes)
}
