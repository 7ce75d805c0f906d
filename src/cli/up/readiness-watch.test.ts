import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { ProbeSpec } from '../../contracts/health-check.ts'
import { createRandom } from '../../core/random.ts'
import { ReadinessWatch } from './readiness-watch.ts'

const spec: ProbeSpec = {
  host: '127.0.0.1',
  port: 8080,
  initialDelayMs: 2_000,
  check: {
    question: { kind: 'http', path: '/healthz', headers: [], statuses: [{ start: 200, end: 400 }] },
    intervalMs: 10_000,
    timeoutMs: 1_000,
    healthyThreshold: 1,
    unhealthyThreshold: 2,
  },
}

class Watched {
  readonly clock = new ManualClock()
  asked = 0
  failure: string | undefined
  said: string[] = []
  readonly watch: ReadinessWatch = new ReadinessWatch(
    {
      clock: this.clock,
      random: createRandom(1),
      ask: () => {
        this.asked++
        return Promise.resolve(this.failure)
      },
      changed: () => this.said.push(this.state),
    },
    spec,
  )

  get state(): string {
    const { ready, failing, message = '' } = this.watch
    return `${ready ? 'ready' : failing ? 'failing' : 'waits'} ${message}`.trim()
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      this.clock.advance(50)
      for (let turn = 0; turn < 5; turn++) await Promise.resolve()
    }
  }
}

const why = 'readinessProbe GET http://127.0.0.1:8080/healthz: status 503'

describe('an application with a readiness probe', () => {
  it('is not asked before its time, then often until it is ready, then in its period', async () => {
    const world = new Watched()
    world.failure = 'status 503'
    await world.pass(1_950)
    expect(world.asked).toBe(0)
    await world.pass(1_000)
    expect(world.asked).toBeGreaterThan(3)
    world.failure = undefined
    await world.pass(2_000)
    expect(world.state).toBe('ready')
    const { asked } = world
    await world.pass(50_000)
    expect(world.asked - asked).toBeGreaterThanOrEqual(4)
    expect(world.asked - asked).toBeLessThanOrEqual(6)
    expect(world.said).toEqual([`waits ${why}`, 'ready'])
  })

  it('fails once it has not been ready for ten seconds, or is not ready any more', async () => {
    const late = new Watched()
    late.failure = 'status 503'
    await late.pass(11_000)
    expect(late.state).toBe(`waits ${why}`)
    await late.pass(20_000)
    expect(late.said.at(-1)).toBe(`failing ${why}`)
    const world = new Watched()
    await world.pass(3_000)
    world.failure = 'status 503'
    await world.pass(12_000)
    expect(world.state).toBe('ready')
    await world.pass(12_000)
    expect(world.state).toBe(`failing ${why}`)
  })

  it('is not asked once nobody watches', async () => {
    const world = new Watched()
    await world.pass(3_000)
    world.watch.stop()
    expect(world.clock.pendingCount).toBe(0)
  })
})
