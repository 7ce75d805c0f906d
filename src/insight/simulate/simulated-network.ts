// What lies between proxies and instances: who is where, how long a message takes, and which connections come about.
import type { IoBackend, TlsInfo } from '../../proxy/io/connection.ts'
import { SimulatedConnection, type SimulatedServer } from './simulated-connection.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface SimulatedNetwork {
  readonly clock: VirtualClock
  /** By "host:port". */
  readonly servers: ReadonlyMap<string, SimulatedServer>
  /** One way. */
  readonly sameZoneMs: number
  readonly otherZoneMs: number
  /** A request is sent to an instance. */
  sent(): void
}

/** Round trips until a connection can be used: TCP, and TLS 1.3. */
const tcpTrips = 1
const tlsTrips = 2

/** As a proxy in `zone` has it. `spiffeId`: its own. */
export function simulatedIo(network: SimulatedNetwork, zone: string | undefined, spiffeId: string): IoBackend {
  const { clock, servers, sameZoneMs, otherZoneMs } = network
  return {
    name: 'simulated',
    listen: () => Promise.reject(new Error('a simulation has no listeners')),
    secure: () => Promise.reject(new Error('a simulation has no listeners')),
    connect({ host, port, timeoutMs, tls }) {
      const server = servers.get(`${host}:${port}`)
      if (server === undefined) return Promise.reject(new Error(`${host}:${port} is not part of the simulation`))
      const { promise, resolve, reject } = Promise.withResolvers<SimulatedConnection>()
      const delayMs = server.zone === zone ? sameZoneMs : otherZoneMs
      const trips = tls === undefined ? tcpTrips : tlsTrips
      const lost = server.unreachable
      clock.setTimer(lost ? timeoutMs : 2 * trips * delayMs, () => {
        clock.settling()
        if (lost || server.unreachable) reject(new Error(`no connection within ${timeoutMs} ms`))
        else if (server.down) reject(new Error('connection refused'))
        else {
          const caller = tls?.kind === 'mesh' ? spiffeId : undefined
          resolve(new SimulatedConnection(network, server, delayMs, tlsInfo(tls?.alpn, peersOf(tls)), caller))
        }
      })
      return promise
    },
  }
}

type ConnectTls = Parameters<IoBackend['connect']>[0]['tls']

function peersOf(tls: ConnectTls): readonly string[] {
  return tls?.kind === 'mesh' ? tls.peerSpiffeIds : []
}

function tlsInfo(alpn: readonly string[] | undefined, [peerSpiffeId]: readonly string[]): TlsInfo | undefined {
  return alpn === undefined ? undefined : { peerSpiffeId, notAfterMs: Infinity, alpn: alpn[0], sni: undefined }
}
