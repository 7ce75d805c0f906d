// Asks an authorization server (Envoy's ext_authz) through a cluster: with its load balancing, and inside the mesh with mutual TLS.
import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { decodeCheckAnswer, encodeCheck } from '../../policies/external-authorization/check.xds.ts'
import type {
  AskAuthorization,
  AuthorizationCheck,
  ExternalAuthorizationSpec,
} from '../../policies/external-authorization/external-authorization.spec.ts'
import type { ClusterSet } from '../cluster/cluster-set.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { askCluster, type Question, type WholeAnswer } from '../upstream/ask-cluster.ts'
import type { AttemptDeps } from '../upstream/attempt.ts'
import { grpcStatusOf } from '../upstream/grpc.ts'

export interface AskDeps extends AttemptDeps {
  readonly clusters: ClusterSet
}

export function createAskAuthorization(service: ExternalAuthorizationSpec['service'], deps: AskDeps): AskAuthorization {
  const clusterOf = (): Cluster => {
    const cluster = deps.clusters.get(service.cluster)
    if (cluster === undefined) throw new Error(`there is no cluster ${service.cluster}`)
    return cluster
  }
  if (service.kind === 'grpc') {
    return async (check, signal) =>
      decodeCheckAnswer(unframed(await askCluster(deps, clusterOf(), grpcQuestion(check, service.cluster), signal)))
  }
  return async (check, signal) => {
    const { status, headers, body } = await askCluster(
      deps,
      clusterOf(),
      httpQuestion(check, service.pathPrefix),
      signal,
    )
    const pairs = [...headers].map(([name, value]) => [name.toLowerCase(), value] as const)
    return { kind: 'http', status, headers: pairs, body: body.toString() }
  }
}

/** They say how the body comes, or speak of the connection: the question has a length of its own. */
const notAsked = new Set(['content-length', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect'])

/** The head of the request itself, below a prefix. */
function httpQuestion(
  { method, scheme, authority, path, headers, body }: AuthorizationCheck,
  prefix: string,
): Question {
  const kept = [...headers].filter(([name]) => !notAsked.has(name))
  const head: RequestHead = {
    method,
    scheme: scheme === 'https' ? 'https' : 'http',
    authority,
    path: prefix + path,
    headers: HeaderList.of(...kept),
  }
  return { head, body: Buffer.from(body ?? ''), spoken: 'HTTP/1.1' }
}

const frameBytes = 5

function grpcQuestion(check: AuthorizationCheck, cluster: string): Question {
  const message = encodeCheck(check)
  const body = Buffer.alloc(frameBytes + message.length)
  body.writeUInt32BE(message.length, 1)
  body.set(message, frameBytes)
  const headers = HeaderList.of(['content-type', 'application/grpc'], ['te', 'trailers'])
  const path = '/envoy.service.auth.v3.Authorization/Check'
  return { head: { method: 'POST', scheme: 'http', authority: cluster, path, headers }, body, spoken: 'HTTP/2' }
}

/** The one message of a gRPC answer. Throws an Error when there is none. */
function unframed({ status, headers, body, trailers }: WholeAnswer): Buffer {
  const code = grpcStatusOf(trailers) ?? grpcStatusOf(headers)
  if (status !== 200 || code !== 0) throw new Error(`the server answered with status ${status}, gRPC status ${code}`)
  if (body.length < frameBytes || body[0] !== 0 || body.readUInt32BE(1) !== body.length - frameBytes)
    throw new Error('the answer is not one uncompressed message')
  return body.subarray(frameBytes)
}
