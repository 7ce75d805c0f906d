// Asks an authorization server (Envoy's ext_authz) through a cluster: with its load balancing, and inside the mesh with mutual TLS.
import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { decodeCheckAnswer, encodeCheck } from '../../policies/external-authorization/check.xds.ts'
import type {
  AskAuthorization,
  AuthorizationCheck,
  ExternalAuthorizationSpec,
} from '../../policies/external-authorization/external-authorization.spec.ts'
import { askCluster, type Question } from '../upstream/ask-cluster.ts'
import { askGrpc, namedCluster, type AskDeps } from '../upstream/ask-grpc.ts'

export function createAskAuthorization(service: ExternalAuthorizationSpec['service'], deps: AskDeps): AskAuthorization {
  const { cluster } = service
  if (service.kind === 'grpc') {
    const path = '/envoy.service.auth.v3.Authorization/Check'
    return async (check, signal) => decodeCheckAnswer(await askGrpc(deps, cluster, path, encodeCheck(check), signal))
  }
  return async (check, signal) => {
    const { status, headers, body } = await askCluster(
      deps,
      namedCluster(deps.clusters, cluster),
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
