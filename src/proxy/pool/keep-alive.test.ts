import { describe, expect, it } from 'vitest'

import { createRandom } from '../../core/random.ts'
import { keepAliveOf } from './keep-alive.ts'

const random = createRandom(1)
const once = { streams: 100, calm: 1 }

describe('pings', () => {
  it('are for proxies of the mesh, not all at the same time', () => {
    const times = Array.from({ length: 50 }, () => keepAliveOf({}, { tls: true }, once, random)?.intervalMs ?? 0)
    expect(Math.min(...times)).toBeGreaterThanOrEqual(30_000)
    expect(Math.max(...times)).toBeLessThanOrEqual(34_500)
    expect(new Set(times).size).toBeGreaterThan(10)
    expect(keepAliveOf({}, { tls: false }, once, random)).toBeUndefined()
  })

  it('are for others when the cluster says so', () => {
    const keepAlive = { intervalMs: 1_000, timeoutMs: 500 }
    expect(keepAliveOf({ keepAlive }, { tls: false }, once, random)).toMatchObject({ timeoutMs: 500 })
  })

  it('are fewer for a peer that has complained', () => {
    expect(keepAliveOf({}, { tls: true }, { ...once, calm: 4 }, random)?.intervalMs).toBeGreaterThanOrEqual(120_000)
  })
})
