import { describe, expect, it } from 'vitest'

import { sessionPersistenceSchema, toSessionPersistenceSpec } from './session-persistence.schema.ts'

const spec = (settings: unknown): unknown => toSessionPersistenceSpec(sessionPersistenceSchema.parse(settings), 'own')

describe('session persistence as written', () => {
  it('is a cookie until the browser closes when nothing is said', () => {
    expect(spec({})).toEqual({ carrier: 'cookie', name: 'own' })
  })

  it('has names and timeouts', () => {
    expect(spec({ type: 'Header', sessionName: 'X-Place', idleTimeout: '10m', absoluteTimeout: '1h' })).toEqual({
      carrier: 'header',
      name: 'x-place',
      idleTimeoutMs: 600_000,
      absoluteTimeoutMs: 3_600_000,
    })
    expect(spec({ absoluteTimeout: '1h', cookieConfig: { lifetimeType: 'Permanent' } })).toMatchObject({
      permanent: true,
    })
  })

  it.each([
    [{ cookieConfig: { lifetimeType: 'Permanent' } }, 'is missing: the cookie is Permanent'],
    [{ type: 'Header', cookieConfig: {} }, 'does not go with type Header'],
    [{ idleTimeout: '0s' }, 'must be above 0'],
  ])('refuses %j', (settings, message) => {
    expect(() => sessionPersistenceSchema.parse(settings)).toThrow(message)
  })
})
