// Detection where the client may be waiting for the server's first word: the server is dialled meanwhile, and whoever speaks first decides.
import type { Timer } from '../../core/clock.ts'
import { type ConnectionFacts, Detector, type DetectorOptions } from '../detect/detector.ts'
import type { Connection } from '../io/connection.ts'
import { EarlyDial, type EarlyOutcome } from '../tcp/early-dial.ts'
import type { FirstSpeakers } from '../tcp/first-speakers.ts'
import { emptyHead, type RelayHead } from '../tcp/relay.ts'

export interface GreetedDetectionOptions<T extends EarlyOutcome> extends Omit<DetectorOptions, 'onDetected'> {
  readonly firstSpeakers: FirstSpeakers
  /** The client may be about to begin TLS, which a greeting would spoil. */
  readonly besideTls?: boolean
  /** Under which `firstSpeakers` remembers. */
  readonly destination: string
  dial(): Promise<T>
  /** Whether what was found goes, as it is, to what `dial` connects to. */
  isOpaque(facts: ConnectionFacts): boolean
  onDetected(facts: ConnectionFacts, head: RelayHead): void
  /** Without `early`, it is to be dialled yet. */
  onOpaque(head: RelayHead, early: T | Promise<T> | undefined): void
  /** The server has spoken first: `bytes` are lent. */
  onGreeted(head: RelayHead, outcome: T, bytes: Uint8Array): void
}

/** Where a dial was once for nothing, the client is given so long to speak before another. */
const clientPatienceMs = 20
/** Who wants TLS begins at once: long enough for a client and a network that are slow, and short enough for one that waits to be greeted. */
const tlsPatienceMs = 500

export class GreetedDetection<T extends EarlyOutcome> {
  readonly #connection: Connection
  readonly #options: GreetedDetectionOptions<T>
  readonly #detector: Detector
  #early: EarlyDial<T> | undefined
  #patience: Timer | undefined
  #over = false

  constructor(connection: Connection, options: GreetedDetectionOptions<T>) {
    this.#connection = connection
    this.#options = options
    this.#detector = new Detector(connection, {
      ...options,
      onDetected: (facts, bytes, ended) => this.#detected(facts, { bytes, ended }),
      onClosed: () => {
        this.#leave()?.drop()
        options.onClosed()
      },
    })
  }

  /** `head`: what somebody before has already read. */
  start(head: Uint8Array): void {
    const { firstSpeakers, destination, clock, besideTls = false } = this.#options
    const speaker = head.length > 0 ? undefined : firstSpeakers.of(destination)
    if (speaker === 'server' && !besideTls) {
      this.#options.onOpaque(emptyHead, undefined)
      return
    }
    this.#detector.start(head)
    if (this.#over) return
    if (speaker === undefined && !besideTls) this.#dial()
    else this.#patience = clock.setTimer(besideTls ? tlsPatienceMs : clientPatienceMs, () => this.#dial())
  }

  #dial(): void {
    const { firstSpeakers, destination } = this.#options
    this.#early = new EarlyDial(this.#options.dial(), {
      onSpoke: (outcome, bytes) => {
        firstSpeakers.learn(destination, 'server')
        this.#leave()
        this.#options.onGreeted({ bytes: this.#detector.abandon(), ended: false }, outcome, bytes)
      },
      onHttpServer: () => firstSpeakers.learn(destination, 'client'),
    })
  }

  #detected(facts: ConnectionFacts, head: RelayHead): void {
    const { firstSpeakers, destination } = this.#options
    const early = this.#leave()
    if (this.#options.isOpaque(facts)) {
      // Nothing more is read before the upstream can take it.
      this.#connection.pause()
      this.#options.onOpaque(head, early?.take())
      return
    }
    if (early !== undefined) {
      early.drop()
      firstSpeakers.learn(destination, 'client')
    }
    this.#options.onDetected(facts, head)
  }

  #leave(): EarlyDial<T> | undefined {
    this.#over = true
    this.#patience?.cancel()
    return this.#early
  }
}
