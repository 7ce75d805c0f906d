// How often an HTTP/2 connection to an endpoint is pinged while nothing is heard of the peer, so that one that is gone is noticed.
import type { Random } from '../../core/random.ts'
import type { PeerLimits } from '../codec/http2/client-connection.ts'
import type { KeepAlive } from '../codec/http2/session.ts'
import type { ClusterConfig, EndpointConfig } from '../runtime/runtime-config.ts'

/** Of the mesh's own proxies. Others are pinged when the cluster says so: gRPC servers end a connection that is pinged more often than every five minutes. */
const ofMesh: KeepAlive = { intervalMs: 30_000, timeoutMs: 20_000 }
/** Envoy's: connections that began together are not looked after together. */
const jitter = 0.15

/** Undefined: never. */
export function keepAliveOf(
  { keepAlive }: Pick<ClusterConfig, 'keepAlive'>,
  { tls }: Pick<EndpointConfig, 'tls'>,
  { calm }: PeerLimits,
  random: Random,
): KeepAlive | undefined {
  const times = keepAlive ?? (tls ? ofMesh : undefined)
  if (times === undefined) return undefined
  return { intervalMs: times.intervalMs * calm * (1 + jitter * random.next()), timeoutMs: times.timeoutMs }
}
