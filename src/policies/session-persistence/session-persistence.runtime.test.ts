// How long a session stays with its endpoint, and what the client is told to carry.
import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { compileSessionPersistence, sessionKey } from './session-persistence.runtime.ts'
import type { SessionPersistenceSpec } from './session-persistence.spec.ts'

let clock: ManualClock

beforeEach(() => {
  clock = new ManualClock()
})

function request(...headers: [string, string][]): RequestHead {
  return { method: 'GET', scheme: 'http', authority: 'app', path: '/', headers: HeaderList.of(...headers) }
}

/** A client that carries what it is told to. */
class Client {
  readonly #spec: SessionPersistenceSpec
  carried: string | undefined
  told: string | undefined

  constructor(spec: SessionPersistenceSpec) {
    this.#spec = spec
  }

  /** Is answered by `endpoint`; returns the endpoint that its session has asked for. */
  ask(endpoint: string, cluster = 'app'): string | undefined {
    const { carrier, name } = this.#spec
    const keeper = compileSessionPersistence(this.#spec)
    const head = this.carried === undefined ? [] : ([[carrier === 'cookie' ? 'cookie' : name, this.carried]] as const)
    const found = keeper.find(request(...(head as [string, string][])), clock)
    const response: ResponseHead = { status: 200, headers: new HeaderList() }
    keeper.keep(response, found, sessionKey(cluster), sessionKey(endpoint), clock)
    this.told = response.headers.get(carrier === 'cookie' ? 'set-cookie' : name)
    this.carried = this.told?.split(';')[0] ?? this.carried
    return found?.endpoint
  }
}

const cookie = { carrier: 'cookie', name: 'place' } as const

describe('a session in a cookie', () => {
  it('is told once, and again when another endpoint has answered', () => {
    const client = new Client(cookie)
    expect(client.ask('10.0.0.1:80')).toBeUndefined()
    expect(client.told).toMatch(/^place=[0-9a-f]{16}-[0-9a-f]{16}-[0-9a-z]+-[0-9a-z]+; Path=\/; HttpOnly$/)
    expect(client.told).not.toContain('10.0')
    expect(client.ask('10.0.0.1:80')).toBe(sessionKey('10.0.0.1:80'))
    expect(client.told).toBeUndefined()
    client.ask('10.0.0.2:80')
    expect(client.ask('10.0.0.2:80')).toBe(sessionKey('10.0.0.2:80'))
    client.ask('10.0.0.2:80', 'other')
    expect(client.told).toBeDefined()
  })

  it('ends at its absolute timeout, however much it is used', () => {
    const client = new Client({ ...cookie, absoluteTimeoutMs: 60_000, idleTimeoutMs: 20_000, permanent: true })
    client.ask('a')
    expect(client.told).toContain('; Max-Age=60;')
    for (let i = 0; i < 5; i++) {
      clock.advance(11_000)
      expect(client.ask('a')).toBeDefined()
      expect(client.told).toContain(`; Max-Age=${60 - (i + 1) * 11};`)
    }
    clock.advance(11_000)
    expect(client.ask('a')).toBeUndefined()
    expect(client.told).toContain('; Max-Age=60;')
  })

  it('ends when it has rested for its idle timeout, and lives as long as it is used', () => {
    const client = new Client({ ...cookie, absoluteTimeoutMs: 100_000, idleTimeoutMs: 10_000 })
    client.ask('a')
    expect(client.told).not.toContain('Max-Age')
    for (let i = 0; i < 5; i++) {
      clock.advance(9_000)
      expect(client.ask('a')).toBeDefined()
      expect(client.told).toBeDefined()
    }
    clock.advance(10_000)
    expect(client.ask('a')).toBeUndefined()
  })

  it('is none when it is garbled', () => {
    const keeper = compileSessionPersistence(cookie)
    for (const text of ['', 'x', 'place=', 'place=1-2-3-4', `place=${'0'.repeat(16)}-${'g'.repeat(16)}-1-1`])
      expect(keeper.find(request(['cookie', text]), clock)).toBeUndefined()
  })
})

it('a session in a header is told with each response', () => {
  const client = new Client({ carrier: 'header', name: 'x-place' })
  client.ask('a')
  expect(client.ask('a')).toBe(sessionKey('a'))
  expect(client.told).toBeDefined()
})
