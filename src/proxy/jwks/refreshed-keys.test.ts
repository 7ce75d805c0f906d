// When keys are fetched, and how long those at hand serve.
import { generateKeyPairSync } from 'node:crypto'

import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { FetchedJwks } from './jwks-client.ts'
import { RefreshedKeys } from './refreshed-keys.ts'

function jwks(kid: string): string {
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
  return JSON.stringify({ keys: [{ ...jwk, kid }] })
}

const minute = 60_000
const hour = 60 * minute
const first = jwks('first')
const second = jwks('second')

let clock: ManualClock
let answer: FetchedJwks | Error
let fetches: number
let failures: number
let keys: RefreshedKeys

beforeEach(() => {
  clock = new ManualClock()
  answer = { text: first, maxAgeMs: undefined }
  fetches = failures = 0
  keys = new RefreshedKeys({
    clock,
    fetch: async () => {
      fetches++
      if (answer instanceof Error) throw answer
      return answer
    },
    onFailure: () => failures++,
  })
})

/** What is at hand now; a fetch in the background has ended afterwards. */
async function kidAtHand(): Promise<string | undefined> {
  const kid = keys.current()?.keys[0]?.kid
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  return kid
}

describe('keys', () => {
  it('are fetched once for all who wait', async () => {
    expect(keys.current()).toBeUndefined()
    const [one, other] = await Promise.all([keys.load(), keys.load()])
    expect(one).toBe(other)
    expect(keys.current()).toBe(one)
    expect(fetches).toBe(1)
  })

  it.each([
    ['five minutes when the server says nothing', undefined, 5 * minute],
    ['as long as the server says', 10 * minute, 10 * minute],
    ['a minute at least', 0, minute],
    ['an hour at most', 24 * hour, hour],
  ])('serve %s', async (_, maxAgeMs, ageMs) => {
    answer = { text: first, maxAgeMs }
    await keys.load()
    clock.advance(ageMs - 1)
    expect(keys.current()).toBeDefined()
    clock.advance(1)
    expect(keys.current()).toBeUndefined()
  })

  it('are fetched anew in the background while somebody asks', async () => {
    await keys.load()
    clock.advance(4 * minute - 1)
    expect(await kidAtHand()).toBe('first')
    expect(fetches).toBe(1)
    answer = { text: second, maxAgeMs: undefined }
    clock.advance(1)
    expect(await kidAtHand()).toBe('first')
    expect(await kidAtHand()).toBe('second')
    expect(fetches).toBe(2)
  })

  it('stay the same object as long as the text is the same', async () => {
    const before = await keys.load()
    clock.advance(5 * minute)
    expect(await keys.load()).toBe(before)
    expect(fetches).toBe(2)
  })

  it('serve for another hour when there are no others to be had, and are asked for every ten seconds', async () => {
    await keys.load()
    answer = new Error('down')
    clock.advance(5 * minute)
    expect((await keys.load()).keys[0]?.kid).toBe('first')
    expect(failures).toBe(1)
    clock.advance(9_999)
    await kidAtHand()
    expect(failures).toBe(1)
    clock.advance(1)
    expect(await kidAtHand()).toBe('first')
    expect(failures).toBe(2)
    clock.advance(hour - 10_001)
    expect(await kidAtHand()).toBe('first')
    clock.advance(1)
    expect(keys.current()).toBeUndefined()
    await expect(keys.load()).rejects.toThrow('down')
  })

  it('that are no keys count as none', async () => {
    answer = { text: '{"keys":[]}', maxAgeMs: undefined }
    await expect(keys.load()).rejects.toThrow('no public key')
    expect(failures).toBe(1)
  })
})

describe('a server that fails', () => {
  it('is not asked by every request', async () => {
    answer = new Error('down')
    await expect(keys.load()).rejects.toThrow('down')
    await expect(keys.load()).rejects.toThrow('down')
    expect(fetches).toBe(1)
    clock.advance(1_000)
    answer = { text: first, maxAgeMs: undefined }
    expect((await keys.load()).keys).toHaveLength(1)
  })
})

describe('an unknown key', () => {
  it('is asked for once in ten seconds', async () => {
    await keys.load()
    answer = { text: second, maxAgeMs: undefined }
    clock.advance(9_999)
    expect((await keys.reload()).keys[0]?.kid).toBe('first')
    clock.advance(1)
    const [one, other] = await Promise.all([keys.reload(), keys.reload()])
    expect(one.keys[0]?.kid).toBe('second')
    expect(other).toBe(one)
    await keys.reload()
    expect(fetches).toBe(2)
  })

  it('leaves the keys at hand when the server fails', async () => {
    const before = await keys.load()
    answer = new Error('down')
    clock.advance(10_000)
    expect(await keys.reload()).toBe(before)
  })
})

it('is forgotten once the keys are of no use', async () => {
  await keys.load()
  clock.advance(5 * minute + hour - 1)
  expect(keys.isForgotten).toBe(false)
  clock.advance(1)
  expect(keys.isForgotten).toBe(true)
})
