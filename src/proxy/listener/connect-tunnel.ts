// What follows an accepted CONNECT: HTTP is served as if it had come without, anything else is joined to what the caller asked for.
import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { ServedProtocol } from '../codec/create-server-connection.ts'
import { type ConnectionFacts, Detector } from '../detect/detector.ts'
import type { Connection, IoBackend } from '../io/connection.ts'
import type { FirstSpeakers } from '../tcp/first-speakers.ts'
import { HeldCaller } from '../tcp/held-caller.ts'
import { Relay, type RelayHead } from '../tcp/relay.ts'
import { tcpIdleTimeoutMs } from '../tcp/tcp-proxy.ts'
import type { ConnectTarget } from './connect-target.ts'
import { downstreamTimeouts } from './downstream-timeouts.ts'
import { GreetedDetection } from './greeted-detection.ts'

export interface ConnectTunnelOptions {
  readonly io: IoBackend
  readonly clock: Clock
  readonly firstSpeakers: FirstSpeakers
  readonly connection: Connection
  readonly target: ConnectTarget
  onHttp(protocol: ServedProtocol, head: Uint8Array): void
  onRefused(reason: string): void
  /** Not called once `onHttp` was. */
  onClosed(): void
}

interface TunnelDial {
  readonly connection: Connection | undefined
  readonly error: Error | undefined
  release(): void
}

function servedProtocol({ applicationProtocols: [protocol] }: ConnectionFacts): ServedProtocol | undefined {
  if (protocol === 'h2c') return 'h2'
  return protocol === 'http/1.1' ? protocol : undefined
}

const inspect = { tls: true, http: true, hello: false }
const nothing = new Uint8Array(0)

export class ConnectTunnel {
  readonly #options: ConnectTunnelOptions
  #over = false

  constructor(options: ConnectTunnelOptions) {
    this.#options = options
  }

  /** `head`: what was read beyond the request. */
  start(head: Uint8Array): void {
    const { clock, connection, target, firstSpeakers } = this.#options
    const onClosed = (): void => this.#options.onClosed()
    if (target.service !== undefined) {
      const timeoutMs = downstreamTimeouts.detectMs
      const onDetected = (facts: ConnectionFacts, bytes: Uint8Array): void => this.#inMesh(facts, bytes)
      new Detector(connection, { clock, inspect, timeoutMs, onDetected, onClosed }).start(head)
      return
    }
    new GreetedDetection<TunnelDial>(connection, {
      clock,
      inspect,
      timeoutMs: downstreamTimeouts.detectInConnectMs,
      firstSpeakers,
      destination: `CONNECT ${target.authority.host}:${target.authority.port}`,
      dial: () => this.#dial(),
      isOpaque: (facts) => servedProtocol(facts) === undefined,
      onDetected: (facts, { bytes }) => this.#options.onHttp(servedProtocol(facts) ?? 'http/1.1', bytes),
      onOpaque: (bytes, early) => void this.#await(bytes, early ?? this.#dial()),
      onGreeted: (bytes, dialled, greeting) => this.#join(dialled, bytes, greeting),
      onClosed: () => {
        target.onTunnelClosed({ sentBytes: 0, receivedBytes: 0 }, undefined)
        onClosed()
      },
    }).start(head)
  }

  #inMesh(facts: ConnectionFacts, head: Uint8Array): void {
    const protocol = servedProtocol(facts)
    if (protocol !== undefined) this.#options.onHttp(protocol, head)
    else {
      const found = facts.transport === 'tls' ? 'tls' : 'other'
      this.#options.onRefused(`${found} inside CONNECT to a service that carries HTTP`)
    }
  }

  async #dial(): Promise<TunnelDial> {
    const { io, target } = this.#options
    const { host, port } = target.authority
    try {
      const connection = await io.connect({ host, port, timeoutMs: downstreamTimeouts.tunnelConnectMs })
      return { connection, error: undefined, release() {} }
    } catch (error) {
      return { connection: undefined, error: new Error(errorMessage(error)), release() {} }
    }
  }

  async #await(head: RelayHead, pending: TunnelDial | Promise<TunnelDial>): Promise<void> {
    const held = new HeldCaller(this.#options.connection, head, () => this.#failed(new Error('the caller went away')))
    const dialled = await pending
    if (this.#over) dialled.connection?.destroy()
    else this.#join(dialled, held.head, nothing)
  }

  #join({ connection: upstream, error }: TunnelDial, head: RelayHead, greeting: Uint8Array): void {
    const { connection, clock, target } = this.#options
    if (upstream === undefined) {
      this.#failed(error)
      connection.destroy()
      return
    }
    const relay = new Relay(connection, upstream, {
      clock,
      idleTimeoutMs: tcpIdleTimeoutMs,
      onBytes() {},
      onClosed: (end) => {
        target.onTunnelClosed(end, undefined)
        this.#options.onClosed()
      },
    })
    relay.start(head, greeting)
  }

  #failed(error: Error | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#options.target.onTunnelClosed({ sentBytes: 0, receivedBytes: 0 }, error)
    this.#options.onClosed()
  }
}
