// The limit before a simulated application: workers that take requests in the order in which they come.
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { Timer } from '../../core/clock.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { AdaptiveConcurrency } from './adaptive-concurrency.runtime.ts'
import { adaptiveConcurrencySchema, toAdaptiveConcurrencySpec } from './adaptive-concurrency.schema.ts'

const spec = toAdaptiveConcurrencySpec(adaptiveConcurrencySchema.parse({}))
const plain = new HeaderList()

/** Callers give up after so long: whatever the application does later is in vain. */
const patienceMs = 500

interface Job {
  readonly arrivedMs: number
  readonly patience: Timer
  over: boolean
}

class SimulatedApplication {
  readonly clock = new ManualClock()
  readonly random = createRandom(7)
  readonly limits: number[] = []
  readonly concurrency: AdaptiveConcurrency
  workers = 4
  serviceMs: () => number = () => 40
  /** Of the queue, when each was taken in. */
  readonly #waiting: Job[] = []
  #working = 0
  sent = 0
  answered = 0
  refused = 0

  constructor(guarded = true) {
    const { clock, random } = this
    this.concurrency = new AdaptiveConcurrency(spec, {
      clock,
      random,
      changed: (limit) => void this.limits.push(limit),
    })
    if (!guarded) this.concurrency.admits = () => true
  }

  /** Requests at random times. Counts anew. */
  load(perSecond: number, forMs: number, headers = plain): this {
    this.sent = this.answered = this.refused = 0
    const endMs = this.clock.monotonicMs() + forMs
    const next = (): void => {
      this.#request(headers)
      const inMs = (-Math.log(1 - this.random.next()) * 1_000) / perSecond
      if (this.clock.monotonicMs() + inMs < endMs) this.clock.setTimer(inMs, next)
    }
    next()
    this.clock.advance(forMs)
    return this
  }

  #request(headers: HeaderList): void {
    this.sent++
    if (!this.concurrency.admits(headers)) {
      this.refused++
      return
    }
    this.concurrency.started()
    const patience = this.clock.setTimer(patienceMs, () => this.#over(job, 'cancelled'))
    const job: Job = { arrivedMs: this.clock.monotonicMs(), patience, over: false }
    this.#waiting.push(job)
    this.#work()
  }

  #work(): void {
    while (this.#working < this.workers) {
      const job = this.#waiting.shift()
      if (job === undefined) return
      this.#working++
      this.clock.setTimer(this.serviceMs(), () => {
        this.#working--
        this.#over(job, 'response')
        this.#work()
      })
    }
  }

  #over(job: Job, outcome: 'response' | 'cancelled'): void {
    if (job.over) return
    job.over = true
    job.patience.cancel()
    const answered = outcome === 'response'
    if (answered) this.answered++
    this.concurrency.over({
      outcome,
      status: answered ? 200 : 0,
      grpcStatus: undefined,
      startMs: job.arrivedMs,
      respondedMs: answered ? this.clock.monotonicMs() : 0,
    })
  }
}

/** What takes the mean time, as often less as more. */
function exponential(application: SimulatedApplication, meanMs: number): () => number {
  return () => -Math.log(1 - application.random.next()) * meanMs
}

function urgency(u: number): HeaderList {
  return HeaderList.of(['priority', `u=${u}, i`])
}

describe('adaptive concurrency', () => {
  it('has the application answer all that it can when five times as much comes', () => {
    const application = new SimulatedApplication().load(500, 30_000)
    // 4 workers, 40 ms: 100 a second
    expect(application.answered).toBeGreaterThan(0.9 * 3_000)
    expect(application.concurrency.limit).toBeGreaterThanOrEqual(4)
    expect(application.concurrency.limit).toBeLessThan(16)
    const unguarded = new SimulatedApplication(false).load(500, 30_000)
    expect(unguarded.answered).toBeLessThan(0.1 * 3_000)
  })

  it('does so five seconds after the overload has come suddenly', () => {
    const application = new SimulatedApplication().load(40, 30_000)
    expect(application.refused).toBe(0)
    application.load(500, 5_000)
    application.load(500, 2_000)
    expect(application.answered).toBeGreaterThan(0.9 * 200)
  })

  it('does so with times that vary', () => {
    const application = new SimulatedApplication()
    application.serviceMs = exponential(application, 40)
    application.load(500, 30_000)
    expect(application.answered).toBeGreaterThan(0.9 * 3_000)
  })

  it.each([20, 40, 60])('refuses nearly nothing at %i %% of the capacity', (percent) => {
    const application = new SimulatedApplication()
    application.serviceMs = exponential(application, 40)
    application.load(percent, 120_000)
    expect(application.refused).toBeLessThan(0.01 * application.sent)
  })

  it('follows when the application can do more, and when it can do less', () => {
    const application = new SimulatedApplication()
    application.load(1_000, 15_000)
    application.workers = 20
    application.load(1_000, 15_000)
    application.load(1_000, 15_000)
    expect(application.answered).toBeGreaterThan(0.9 * 500 * 15)
    application.workers = 4
    application.load(1_000, 15_000)
    application.load(1_000, 15_000)
    expect(application.answered).toBeGreaterThan(0.9 * 100 * 15)
  })

  it('learns that an application has become slower for another reason than its load', () => {
    const application = new SimulatedApplication()
    application.workers = 100
    application.load(300, 30_000)
    application.serviceMs = () => 160
    application.load(300, 20_000)
    application.load(300, 10_000)
    expect(application.refused).toBeLessThan(0.01 * application.sent)
  })

  it('lets everything through again when the overload is over', () => {
    const application = new SimulatedApplication().load(500, 20_000)
    application.load(40, 5_000)
    application.load(40, 20_000)
    expect(application.refused).toBe(0)
  })

  it('never goes below the least nor above the greatest limit', () => {
    const application = new SimulatedApplication()
    application.workers = 1
    application.load(500, 30_000)
    application.serviceMs = () => 1
    application.load(500, 30_000)
    expect(Math.min(...application.limits)).toBeGreaterThanOrEqual(3)
    application.workers = 100
    application.load(500, 30_000)
    expect(Math.max(...application.limits)).toBe(1_000)
  })

  it('does not take failing fast for being fast', () => {
    const { concurrency, clock } = new SimulatedApplication().load(50, 30_000)
    const minRttMs = concurrency.minRttMs
    for (let i = 0; i < 20_000; i++) {
      concurrency.started()
      const startMs = clock.monotonicMs()
      clock.advance(1)
      const respondedMs = clock.monotonicMs()
      concurrency.over({ outcome: 'response', status: 500, grpcStatus: undefined, startMs, respondedMs })
    }
    expect(concurrency.minRttMs).toBe(minRttMs)
  })

  it('refuses what is least urgent first, and takes no request for more urgent than others', () => {
    const { concurrency, clock } = new SimulatedApplication().load(500, 14_000)
    clock.advance(1_000)
    while (concurrency.admits(urgency(7))) concurrency.started()
    const background = concurrency.underWay
    while (concurrency.admits(urgency(4))) concurrency.started()
    const low = concurrency.underWay
    while (concurrency.admits(plain)) concurrency.started()
    expect(background).toBeLessThan(low)
    expect(low).toBeLessThan(concurrency.underWay)
    expect(concurrency.admits(urgency(0))).toBe(false)
    expect(concurrency.admits(HeaderList.of(['priority', 'urgent!']))).toBe(false)
  })

  it('does not count what began before it', () => {
    const { concurrency, clock } = new SimulatedApplication()
    concurrency.over({
      outcome: 'cancelled',
      status: 0,
      grpcStatus: undefined,
      startMs: clock.monotonicMs() - 1,
      respondedMs: 0,
    })
    expect(concurrency.underWay).toBe(0)
  })
})
