// Sends spans to a collector of OpenTelemetry in batches. What it does not take is dropped, counted, and costs no request anything.
import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { Logger } from '../../core/logger.ts'
import { decodeRejectedSpans, encodeTraceExport, exportTracePath } from '../../policies/tracing/export-trace.xds.ts'
import type { AttributeValue, SpanRecord, TraceCollectorSpec } from '../../policies/tracing/tracing.spec.ts'
import { askCluster } from '../upstream/ask-cluster.ts'
import { type AskDeps, askGrpc, namedCluster } from '../upstream/ask-grpc.ts'

export interface TraceExporterDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** What all spans are about. */
  readonly resource: Readonly<Record<string, AttributeValue>>
  readonly counted: (result: SpanResult, spans: number) => void
  /** Rejects when the collector has not taken them. Resolves with how many it has refused. */
  readonly send: (collector: TraceCollectorSpec, message: Uint8Array) => Promise<number>
}

export type SpanResult = 'exported' | 'refused' | 'failed' | 'overflow'

/** OpenTelemetry's own defaults: what waits, and what goes at once. */
const mostWaiting = 2_048
const batchSize = 512
const batchDelayMs = 1_000
/** A batch that is not taken is sent again so many times, after 1 s, 2 s, 4 s. */
const mostRepeats = 3

export class TraceExporter {
  readonly #deps: TraceExporterDeps
  #waiting: SpanRecord[] = []
  #collector: TraceCollectorSpec | undefined
  #timer: Timer | undefined
  #sending: Promise<void> | undefined
  #stopped = false

  constructor(deps: TraceExporterDeps) {
    this.#deps = deps
  }

  /** The collector of the newest spans gets all that wait. */
  add(collector: TraceCollectorSpec, spans: readonly SpanRecord[]): void {
    this.#collector = collector
    const room = mostWaiting - this.#waiting.length
    if (spans.length > room) this.#deps.counted('overflow', spans.length - room)
    this.#waiting.push(...spans.slice(0, room))
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

  async #sendBatch(batch: readonly SpanRecord[]): Promise<void> {
    const { clock, counted, logger, resource, send } = this.#deps
    const message = encodeTraceExport(resource, batch)
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
        logger.warn('spans not exported', { collector: this.#collector?.cluster ?? '', error: errorMessage(error) })
        return
      }
    }
  }
}

/** By the cluster of the collector, as every request of the proxy's own. */
export async function sendSpans(
  deps: AskDeps,
  { cluster, path, timeoutMs }: TraceCollectorSpec,
  message: Uint8Array,
): Promise<number> {
  const abort = new AbortController()
  const timer = deps.clock.setTimer(timeoutMs, () => abort.abort())
  try {
    if (path === undefined)
      return decodeRejectedSpans(await askGrpc(deps, cluster, exportTracePath, message, abort.signal))
    const headers = HeaderList.of(['content-type', 'application/x-protobuf'])
    const head = { method: 'POST', scheme: 'http', authority: cluster, path, headers } as const
    const question = { head, body: Buffer.from(message), spoken: 'HTTP/1.1' } as const
    const { status, body } = await askCluster(deps, namedCluster(deps.clusters, cluster), question, abort.signal)
    if (status < 200 || status > 299) throw new Error(`the collector answered with status ${status}`)
    return decodeRejectedSpans(body)
  } finally {
    timer.cancel()
  }
}
