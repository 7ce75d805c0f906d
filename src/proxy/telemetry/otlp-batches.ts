// Sends what was told of requests to a collector of OpenTelemetry in batches. What it does not take is dropped, counted, and costs no request anything.
import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { encodeExport, type OtlpAttributes } from '../../policies/otlp.xds.ts'
import type { TraceCollectorSpec } from '../../policies/tracing/tracing.spec.ts'

export interface OtlpBatchesDeps<Item> {
  readonly clock: Clock
  readonly logger: Logger
  /** What they are, for the log: "spans". */
  readonly items: string
  /** What all of them are about. */
  readonly resource: OtlpAttributes
  /** Of one that there is room for. */
  readonly encode: (item: Item) => Uint8Array
  readonly counted: (result: BatchResult, items: number) => void
  /** Rejects when the collector has not taken them. Resolves with how many it has refused. */
  readonly send: (collector: TraceCollectorSpec, message: Uint8Array) => Promise<number>
}

export type BatchResult = 'exported' | 'refused' | 'failed' | 'overflow'

/** OpenTelemetry's own defaults: what waits, and what goes at once. */
const mostWaiting = 2_048
const batchSize = 512
const batchDelayMs = 1_000
/** A batch that is not taken is sent again so many times, after 1 s, 2 s, 4 s. */
const mostRepeats = 3

export class OtlpBatches<Item> {
  readonly #deps: OtlpBatchesDeps<Item>
  #waiting: Uint8Array[] = []
  #collector: TraceCollectorSpec | undefined
  #timer: Timer | undefined
  #sending: Promise<void> | undefined
  #stopped = false

  constructor(deps: OtlpBatchesDeps<Item>) {
    this.#deps = deps
  }

  /** The collector of the newest items gets all that wait. */
  add(collector: TraceCollectorSpec, items: readonly Item[]): void {
    this.#collector = collector
    const room = mostWaiting - this.#waiting.length
    if (items.length > room) this.#deps.counted('overflow', items.length - room)
    for (const item of items.slice(0, room)) this.#waiting.push(this.#deps.encode(item))
    if (this.#sending !== undefined) return
    if (this.#waiting.length >= batchSize) this.#send()
    else this.#timer ??= this.#deps.clock.setTimer(batchDelayMs, () => this.#send())
  }

  /** Sends what waits, once: nobody is left to repeat it. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#sending
    while (this.#waiting.length > 0) {
      this.#send()
      await this.#sending
    }
  }

  #send(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const batch = this.#waiting.splice(0, batchSize)
    this.#sending = this.#sendBatch(batch).finally(() => {
      this.#sending = undefined
      if (this.#waiting.length > 0)
        this.#timer ??= this.#deps.clock.setTimer(this.#waiting.length >= batchSize ? 0 : batchDelayMs, () =>
          this.#send(),
        )
    })
  }

  async #sendBatch(batch: readonly Uint8Array[]): Promise<void> {
    const { clock, counted, items, logger, resource, send } = this.#deps
    const message = encodeExport(resource, batch)
    for (let repeats = 0; ; repeats++) {
      try {
        const refused = Math.min(batch.length, await send(this.#collector as TraceCollectorSpec, message))
        if (refused > 0) counted('refused', refused)
        counted('exported', batch.length - refused)
        return
      } catch (error) {
        if (repeats < mostRepeats && !this.#stopped) {
          await new Promise<void>((resolve) => clock.setTimer(1_000 * 2 ** repeats, resolve))
          continue
        }
        counted('failed', batch.length)
        logger.warn(`${items} not exported`, { collector: this.#collector?.cluster ?? '', error: errorMessage(error) })
        return
      }
    }
  }
}
