// Opens a connection to an endpoint: as it is, by mutual TLS within the mesh, or by TLS towards a server outside.
import type { Watchable } from '../../core/watchable.ts'
import type { Connection, IoBackend, TlsCredentials } from '../io/connection.ts'
import type { ClusterConfig, EndpointConfig, SecretConfig } from '../runtime/runtime-config.ts'
import type { UpstreamProtocol } from './endpoint.ts'

export interface DialEndpointDeps {
  readonly io: IoBackend
  readonly credentials: Watchable<TlsCredentials | undefined>
  /** Of the running configuration. */
  secret(name: string): SecretConfig | undefined
}

/** By ALPN, most wanted first. */
export interface OfferedProtocols {
  readonly inMesh: readonly string[]
  readonly outside: readonly string[]
}

export const httpProtocols: Readonly<Record<UpstreamProtocol, OfferedProtocols>> = {
  http1: { inMesh: ['http/1.1'], outside: ['http/1.1'] },
  http2: { inMesh: ['h2', 'http/1.1'], outside: ['h2', 'http/1.1'] },
}
/** What is inside is nobody's business but the two ends': towards a server outside nothing is claimed. */
export const tcpProtocols: OfferedProtocols = { inMesh: ['heddle-tcp'], outside: [] }

/** Rejects as `IoBackend.connect` does. */
export async function dialEndpoint(
  deps: DialEndpointDeps,
  { connectTimeoutMs, peerSpiffeIds, originateTls }: ClusterConfig,
  { host, port, tls }: EndpointConfig,
  protocols: OfferedProtocols,
): Promise<Connection> {
  const { io, credentials } = deps
  const target = { host, port, timeoutMs: connectTimeoutMs }
  if (tls) {
    const own = credentials.value
    if (own === undefined) throw new Error('this proxy has no certificate yet')
    return io.connect({ ...target, tls: { kind: 'mesh', credentials: own, peerSpiffeIds, alpn: protocols.inMesh } })
  }
  if (originateTls === undefined) return io.connect(target)
  const { serverName, subjectAltNames, rootsSecret } = originateTls
  const rootsPem = rootsSecret === undefined ? undefined : rootsOf(rootsSecret, deps)
  return io.connect({
    ...target,
    tls: { kind: 'originate', serverName, subjectAltNames, rootsPem, alpn: protocols.outside },
  })
}

function rootsOf(name: string, deps: DialEndpointDeps): string {
  const secret = deps.secret(name)
  if (secret?.kind !== 'roots') throw new Error(`the roots ${name} are not here`)
  return secret.rootsPem
}
