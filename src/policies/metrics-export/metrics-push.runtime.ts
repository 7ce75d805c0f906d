// Pushes all metrics to a collector once in an interval. One push at a time, made message by message while it goes; a collector that is away costs
// points, which the next push makes up for, and never memory.
import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { ExportedMetric, ExportedPoint, MetricPoints, MetricsPushSpec } from './metrics-export.spec.ts'

export interface MetricsPushDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: (spec: MetricsPushSpec) => Iterable<ExportedMetric>
  readonly counted: (result: PushResult, points: number) => void
  /** Rejects when the collector has not taken them. Resolves with how many points it has refused. */
  readonly send: (spec: MetricsPushSpec, metrics: readonly MetricPoints[]) => Promise<number>
}

export type PushResult = 'exported' | 'refused' | 'failed'

/** Of one message, which is made at one go: requests wait for a few milliseconds at the most. */
const mostPoints = 200
/** A message that is not taken is sent again so many times, after 1 s, 2 s, 4 s. */
const mostRepeats = 3

export class MetricsPush {
  readonly #deps: MetricsPushDeps
  #spec: MetricsPushSpec | undefined
  #timer: Timer | undefined
  #pushing: Promise<void> | undefined
  /** Ends the wait before a message is sent again. */
  #wake: (() => void) | undefined
  #failing = false
  #stopped = false

  constructor(deps: MetricsPushDeps) {
    this.#deps = deps
  }

  /** Undefined: nobody is told any more. */
  follow(spec: MetricsPushSpec | undefined): void {
    if (JSON.stringify(spec) === JSON.stringify(this.#spec)) return
    this.#spec = spec
    this.#timer?.cancel()
    if (spec !== undefined) this.#wait(spec)
  }

  /** Pushes once more what has been counted, if the collector was there the last time; nobody is left to repeat it. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    this.#wake?.()
    await this.#pushing
    if (this.#spec !== undefined && !this.#failing) await this.#push(this.#spec)
  }

  #wait(spec: MetricsPushSpec): void {
    this.#timer = this.#deps.clock.setTimer(spec.intervalMs, () => {
      this.#wait(spec)
      this.#pushing ??= this.#push(spec).finally(() => (this.#pushing = undefined))
    })
  }

  async #push(spec: MetricsPushSpec): Promise<void> {
    const { counted, logger } = this.#deps
    for (const message of messagesOf(this.#deps.metrics(spec))) {
      const points = message.reduce((sum, metric) => sum + metric.points.length, 0)
      try {
        const refused = Math.min(points, await this.#send(spec, message))
        if (refused > 0) counted('refused', refused)
        counted('exported', points - refused)
        this.#failing = false
      } catch (error) {
        counted('failed', points)
        this.#failing = true
        logger.warn('metrics not exported', { collector: spec.collector.cluster, error: errorMessage(error) })
        return
      }
    }
  }

  async #send(spec: MetricsPushSpec, message: readonly MetricPoints[]): Promise<number> {
    const { clock, send } = this.#deps
    for (let repeats = 0; ; repeats++) {
      try {
        return await send(spec, message)
      } catch (error) {
        if (repeats >= mostRepeats || this.#stopped || spec !== this.#spec) throw error
        await new Promise<void>((resolve) => {
          const timer = clock.setTimer(1_000 * 2 ** repeats, resolve)
          this.#wake = () => {
            timer.cancel()
            resolve()
          }
        })
      }
    }
  }
}

/** As many points in each as it may have. */
function* messagesOf(metrics: Iterable<ExportedMetric>): Generator<MetricPoints[]> {
  let message: MetricPoints[] = []
  let room = mostPoints
  for (const metric of metrics) {
    let points: ExportedPoint[] = []
    for (const point of metric.points) {
      points.push(point)
      if (--room > 0) continue
      yield [...message, { ...metric, points }]
      message = []
      points = []
      room = mostPoints
    }
    if (points.length > 0) message.push({ ...metric, points })
  }
  if (message.length > 0) yield message
}
