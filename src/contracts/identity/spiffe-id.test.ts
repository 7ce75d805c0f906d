import { describe, expect, it } from 'vitest'

import { objectNameSchema } from '../../policies/scalars.schema.ts'
import { formatSpiffeId, gatewayServiceAccount, parseSpiffeId } from './spiffe-id.ts'

describe('SPIFFE IDs', () => {
  it('parses what it formats', () => {
    const identity = { trustDomain: 'mesh.local', namespace: 'default', serviceAccount: 'web' }
    expect(formatSpiffeId(identity)).toBe('spiffe://mesh.local/ns/default/sa/web')
    expect(parseSpiffeId('spiffe://mesh.local/ns/default/sa/web')).toEqual(identity)
  })

  it.each(['public', 'g'.repeat(253)])('of a gateway is one that no document can claim: %s', (gateway) => {
    const identity = { trustDomain: 'mesh.local', namespace: 'default', serviceAccount: gatewayServiceAccount(gateway) }
    expect(parseSpiffeId(formatSpiffeId(identity))).toEqual(identity)
    expect(objectNameSchema.safeParse(identity.serviceAccount).success).toBe(false)
  })

  it.each([
    'http://mesh.local/ns/a/sa/b',
    'spiffe://Mesh.local/ns/a/sa/b',
    'spiffe://mesh.local/ns/a/sa/b/',
    'spiffe://mesh.local/ns/a/sa/',
    'spiffe://mesh.local/ns/../sa/b',
    'spiffe://mesh.local/ns/a%2fb/sa/c',
    'spiffe://mesh.local/ns/a/sa/b?x=1',
    'spiffe://user@mesh.local/ns/a/sa/b',
  ])('refuses %s', (text) => {
    expect(parseSpiffeId(text)).toBeUndefined()
  })
})
