// Two request lines as two sidecars: outbound in plaintext, mutual TLS between them, inbound in front of an application.
import type { IoBackend } from '../../src/proxy/io/connection.ts'
import type { ClusterConfig, RouteConfiguration } from '../../src/proxy/runtime/runtime-config.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from './request-line.ts'
import type { TestAuthority } from './svids.ts'

export interface SidecarPair {
  readonly client: TestLine
  readonly server: TestLine
  /** Of the client's outbound listener. */
  readonly port: number
  stop(): Promise<void>
}

export interface SidecarPairOptions {
  readonly authority: TestAuthority
  readonly applicationPort: number
  /** Whether HTTP/1.1 travels as HTTP/2 between them. */
  readonly upgradeToHttp2?: boolean
  readonly inbound?: Partial<ClusterConfig>
  readonly routes?: RouteConfiguration
  readonly io?: IoBackend
}

const web = 'spiffe://mesh.local/ns/default/sa/web'
const reviews = 'spiffe://mesh.local/ns/default/sa/reviews'

export async function startSidecarPair(options: SidecarPairOptions): Promise<SidecarPair> {
  const { authority, applicationPort, upgradeToHttp2 = true, inbound = {}, routes = routesTo('reviews'), io } = options
  const [outboundPort, inboundPort] = [await freePort(), await freePort()]
  const tls = { kind: 'mesh', requireClientCertificate: true, alpn: ['h2', 'http/1.1'] } as const
  const inline = { kind: 'inline', routeConfiguration: routesTo('inbound|9080') } as const
  const shared = io === undefined ? {} : { io }
  const server = await startLine(
    configOf({
      listeners: [listenerOn(inboundPort, inline, { name: 'inbound|9080', direction: 'inbound', tls })],
      clusters: [clusterOf('inbound|9080', [{ port: applicationPort }], inbound)],
    }),
    { credentials: authority.issue(reviews), ...shared },
  )
  const endpoint = { port: inboundPort, tls: true }
  const client = await startLine(
    configOf({
      listeners: [listenerOn(outboundPort, { kind: 'rds', name: routes.name })],
      routes: [routes],
      clusters: [
        clusterOf('reviews', [endpoint], {
          peerSpiffeIds: [reviews],
          peerAlpn: upgradeToHttp2 ? ['h2', 'http/1.1'] : ['http/1.1'],
        }),
      ],
    }),
    { credentials: authority.issue(web), ...shared },
  )
  return {
    client,
    server,
    port: outboundPort,
    async stop() {
      await client.line.stop()
      await server.line.stop()
    },
  }
}
