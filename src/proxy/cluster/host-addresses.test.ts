import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { createRandom } from '../../core/random.ts'
import { HostAddresses, type ResolvedHost } from './host-addresses.ts'

let clock: ManualClock
let asked: number
let changes: number
let answer: ResolvedHost | Error
let host: HostAddresses

beforeEach(() => {
  clock = new ManualClock()
  asked = changes = 0
  answer = { addresses: ['10.0.0.2', '10.0.0.1'], ttlMs: 10_000 }
  const resolveHost = (): Promise<ResolvedHost> => {
    asked++
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
  }
  host = new HostAddresses({ clock, random: createRandom(1), resolveHost }, 'a.test', () => changes++)
})

/** Lets a pending answer arrive. */
const settled = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await Promise.resolve()
}

async function advance(ms: number): Promise<void> {
  clock.advance(ms)
  await settled()
}

describe('the addresses of a host', () => {
  it('are asked for when first used, once', async () => {
    expect(asked).toBe(0)
    host.use()
    host.use()
    await settled()
    host.use()
    expect([asked, changes]).toEqual([1, 1])
    expect(host.addresses).toEqual(['10.0.0.1', '10.0.0.2'])
  })

  it('are asked for again after their lifetime, and told of when they have changed', async () => {
    host.use()
    await settled()
    host.use()
    await advance(9_999)
    expect(asked).toBe(1)
    await advance(1_002)
    expect([asked, changes]).toEqual([2, 1])
    answer = { addresses: ['10.0.0.3'], ttlMs: 10_000 }
    host.use()
    await advance(11_001)
    expect([asked, changes]).toEqual([3, 2])
    expect(host.addresses).toEqual(['10.0.0.3'])
  })

  it('rest while nobody uses them, and are asked for at the next use', async () => {
    host.use()
    await settled()
    await advance(3_600_000)
    expect(asked).toBe(1)
    expect(clock.pendingCount).toBe(0)
    host.use()
    await settled()
    expect(asked).toBe(2)
  })

  it('stay when a later question fails, which is asked again', async () => {
    host.use()
    await settled()
    answer = new Error('SERVFAIL')
    host.use()
    await advance(11_001)
    expect([asked, changes]).toEqual([2, 1])
    expect(host.addresses).toEqual(['10.0.0.1', '10.0.0.2'])
    host.use()
    await advance(2_001)
    expect(asked).toBe(3)
  })

  it.each([
    [0, 1_000],
    [86_400_000, 300_000],
    [undefined, 30_000],
  ])('with a lifetime of %s ms are kept for %s', async (ttlMs, keptMs) => {
    answer = { addresses: ['10.0.0.1'], ttlMs }
    host.use()
    await settled()
    host.use()
    await advance(keptMs - 1)
    expect(asked).toBe(1)
    await advance(keptMs * 0.1 + 2)
    expect(asked).toBe(2)
  })

  it('are not asked for any more once stopped', async () => {
    host.use()
    await settled()
    host.use()
    host.stop()
    await advance(600_000)
    expect(asked).toBe(1)
  })
})
