// A CONNECT as a listener serves it: decided upon where nothing of it will be looked into, accepted, and told of when it is over.
import type { AuthorizationRecord } from '../../contracts/decision-record.ts'
import type { FilterRefusal } from '../../contracts/http-filter.ts'
import { HeaderList } from '../../core/header-list.ts'
import { authorizationRefusal } from '../../policies/authorization/authorization.runtime.ts'
import type { ClusterSet } from '../cluster/cluster-set.ts'
import type { ServerStream } from '../codec/http-stream.ts'
import type { StreamOrigin } from '../listener/downstream-connection.ts'
import type { Exchange } from '../telemetry/exchange.ts'
import { formatAuthority, splitAuthority } from './authority.ts'
import type { HttpFilters } from './http-filters.ts'
import { peerFacts } from './peer-facts.ts'

export interface ConnectDeps {
  readonly filters: HttpFilters
  readonly clusters: ClusterSet
}

export interface ConnectOwner {
  finished(): boolean
  refuse(refusal: FilterRefusal): void
  remoteAddress(): string
  refusalNow(): AuthorizationRecord | undefined
  finish(): void
}

/** `service`: that the authority names, as "<host>:<port>"; undefined: none of the mesh. */
export function serveConnect(
  deps: ConnectDeps,
  stream: ServerStream,
  origin: StreamOrigin,
  exchange: Exchange,
  service: string | undefined,
  owner: ConnectOwner,
): void {
  const verdict = service === undefined ? undefined : bytesVerdict(deps, stream, origin, owner, service)
  if (verdict?.allowed === false) {
    exchange.authorization = verdict
    exchange.egressRefused = 'policy'
    exchange.destinationService = deps.clusters.get(service as string)?.serviceHost
    owner.refuse(authorizationRefusal)
    return
  }
  const authority = splitAuthority(stream.request.authority)
  // Not now: the connection is in the middle of reading.
  queueMicrotask(() => {
    if (owner.finished()) return
    const { connection, head } = stream.takeOver({ status: 200, headers: new HeaderList() })
    origin.continueConnect(connection, head, {
      authority,
      service,
      reauthorize: () => reauthorizeTunnel(exchange, service, owner),
      onTunnelClosed: ({ sentBytes, receivedBytes }, error) => {
        exchange.cluster = 'passthrough'
        exchange.destinationAddress = formatAuthority(authority)
        exchange.requestBytes = sentBytes
        exchange.responseBytes = receivedBytes
        exchange.status = 200
        exchange.detail ??= error?.message
        if (error !== undefined) exchange.flags.push('UF')
        owner.finish()
      },
    })
  })
}

/** Where nothing of a CONNECT will be looked into, it is decided now: its caller is told in words. */
function bytesVerdict(
  { filters }: ConnectDeps,
  stream: ServerStream,
  origin: StreamOrigin,
  owner: ConnectOwner,
  service: string,
): AuthorizationRecord | undefined {
  const chain = origin.opaqueChain(service)
  const authorizer = chain === undefined ? undefined : filters.authorizerOf(chain)
  return authorizer?.authorizeConnection(peerFacts(stream.connection, owner.remoteAddress()))
}

/** As `reauthorize` of a request, of what follows an accepted CONNECT: with an error it is to be ended. */
function reauthorizeTunnel(exchange: Exchange, service: string | undefined, owner: ConnectOwner): Error | undefined {
  const verdict = owner.finished() ? undefined : owner.refusalNow()
  if (verdict === undefined) return undefined
  exchange.authorization = verdict
  exchange.flags.push('UAEX')
  exchange.detail = `no longer allowed: ${verdict.reason}`
  exchange.status = 200
  // of what goes to a service nobody tells the end
  if (service !== undefined) owner.finish()
  return new Error(exchange.detail)
}
