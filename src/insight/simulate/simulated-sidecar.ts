// The inbound side of an instance, where its sidecar has more to do than to pass on what comes: it limits requests. The code that a proxy runs.
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { Random } from '../../core/random.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { ServerStream, ServerStreamHandler } from '../../proxy/codec/http-stream.ts'
import type { Connection } from '../../proxy/io/connection.ts'
import type { ApplicationInstance, InboundProxy } from './application-instance.ts'
import { loopback } from './simulated-call.ts'
import type { Job, SimulatedConnection, SimulatedServer } from './simulated-connection.ts'
import type { ProxyConfig } from './simulated-mesh.ts'
import { SimulatedProxy } from './simulated-proxy.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface SidecarOptions {
  readonly clock: VirtualClock
  readonly random: Random
  readonly inbound: ProxyConfig
  readonly spiffeId: string
  readonly instance: ApplicationInstance
  /** Part of each shared limit. */
  readonly limitShare: number
}

/** What the sidecar connects to: the application beside it. */
class BesideSidecar implements SimulatedServer {
  readonly address: string
  readonly zone = undefined
  readonly unreachable = false
  readonly connections: Set<SimulatedConnection> = new Set()
  readonly #instance: ApplicationInstance

  constructor(instance: ApplicationInstance, address: string) {
    this.#instance = instance
    this.address = address
  }

  /** What has come is ended also while it leaves. */
  get down(): boolean {
    return this.#instance.dead
  }

  take(job: Job): void {
    this.#instance.receive(job)
  }
}

export class SimulatedSidecar implements InboundProxy {
  readonly #options: SidecarOptions
  readonly #application: BesideSidecar
  readonly #peers = new Map<string | undefined, Connection>()
  /** A process that has died is another one afterwards. */
  #proxy: SimulatedProxy | undefined

  constructor(options: SidecarOptions) {
    this.#options = options
    const { instance, inbound } = options
    const [cluster] = inbound.config.clusters.values()
    const [endpoint] = cluster?.endpoints ?? []
    this.#application = new BesideSidecar(instance, `${endpoint?.host}:${endpoint?.port}`)
  }

  serve(job: Job): void {
    this.#proxy ??= this.#createProxy()
    const call = new InboundCall(job, this.#peer(job.caller))
    this.#proxy.serve(call)
    call.arrived()
  }

  kill(): void {
    this.#proxy = undefined
    for (const connection of this.#application.connections) connection.reset('the upstream closed the connection')
  }

  /** What is known of whoever sent it. */
  #peer(spiffeId: string | undefined): Connection {
    let connection = this.#peers.get(spiffeId)
    if (connection === undefined) {
      const tls = spiffeId && { peerSpiffeId: spiffeId, notAfterMs: Infinity, alpn: 'h2', sni: undefined }
      connection = { ...loopback, tls: tls || undefined }
      this.#peers.set(spiffeId, connection)
    }
    return connection
  }

  #createProxy(): SimulatedProxy {
    const { clock, random, inbound, spiffeId, limitShare } = this.#options
    const { address } = this.#application
    return new SimulatedProxy({
      network: { clock, servers: new Map([[address, this.#application]]), sameZoneMs: 0, otherZoneMs: 0, sent() {} },
      random,
      locality: undefined,
      runtime: new WatchableValue(inbound.config),
      listener: inbound.listener,
      spiffeId,
      limitShare,
      finished() {},
      availabilityChanged() {},
    })
  }
}

/** A request as the sidecar gets it. */
class InboundCall implements ServerStream {
  readonly request: RequestHead
  readonly protocol = 'HTTP/2'
  readonly bodyLength = 0
  readonly expectsContinue = false
  readonly upgrade = undefined
  readonly connection: Connection
  declare handler: ServerStreamHandler
  readonly #job: Job
  #head: ResponseHead | undefined
  #arriving = true

  constructor(job: Job, connection: Connection) {
    this.#job = job
    this.connection = connection
    // each proxy rewrites what it sends on
    this.request = { ...job.request, headers: job.request.headers.clone() }
    job.abandoned = () => this.handler.onClosed(new Error('the caller has gone'))
  }

  /** The call that brought it is over. */
  arrived(): void {
    this.#arriving = false
  }

  sendHead(head: ResponseHead): void {
    this.#head = head
  }

  sendEnd(): void {
    if (this.#head === undefined) return
    this.#job.abandoned = undefined
    if (this.#arriving) this.#job.refused(this.#head)
    else this.#job.done(this.#head)
  }

  abort(): void {
    this.#job.abandoned = undefined
    this.#job.broken()
  }

  sendInformational(): void {}

  sendData(): boolean {
    return true
  }

  pause(): void {}

  resume(): void {}

  takeOver(): never {
    throw new Error('a simulated caller does not ask for a tunnel')
  }
}
