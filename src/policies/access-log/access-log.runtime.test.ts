import { expect, it } from 'vitest'

import { createRandom } from '../../core/random.ts'
import { isLogged } from './access-log.runtime.ts'

const random = createRandom(3)

function share(samplePercent: number, status = 200, flags = 0): number {
  let logged = 0
  for (let i = 0; i < 10_000; i++) if (isLogged({ enabled: true, samplePercent }, status, flags, random)) logged++
  return logged / 10_000
}

it('is the share of the requests that went as planned', () => {
  expect(share(0)).toBe(0)
  expect(share(1)).toBeCloseTo(0.01, 2)
  expect(share(30)).toBeCloseTo(0.3, 1)
  expect(share(100)).toBe(1)
})

it('is every request that failed or has a response flag', () => {
  expect([share(0, 500), share(0, 503), share(0, 404, 1), share(0, 0, 1)]).toEqual([1, 1, 1, 1])
  expect(share(0, 404)).toBe(0)
})

it('is none when it is off', () => {
  expect(isLogged({ enabled: false, samplePercent: 100 }, 503, 1, random)).toBe(false)
})
