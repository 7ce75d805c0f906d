// Which connections an inbound listener takes.
import { describe, expect, it } from 'vitest'

import { decidePeer } from './peer-authentication.runtime.ts'

const plaintext = { secured: false, peerSpiffeId: undefined }
const mutual = { secured: true, peerSpiffeId: 'spiffe://mesh.local/ns/default/sa/web' }
const anonymous = { secured: true, peerSpiffeId: undefined }

describe('peer authentication', () => {
  it.each([
    ['STRICT', mutual, 'accept'],
    ['STRICT', plaintext, 'plaintext'],
    ['STRICT', anonymous, 'no-client-certificate'],
    ['PERMISSIVE', mutual, 'accept'],
    ['PERMISSIVE', plaintext, 'accept'],
    ['PERMISSIVE', anonymous, 'no-client-certificate'],
    ['DISABLE', mutual, 'tls-disabled'],
    ['DISABLE', plaintext, 'accept'],
    ['DISABLE', anonymous, 'tls-disabled'],
  ] as const)('%s on %j: %s', (mode, transport, expected) => {
    const decision = decidePeer(mode, transport)
    expect(decision.accept ? 'accept' : decision.reason).toBe(expected)
  })

  it('says what to do about plaintext', () => {
    expect(decidePeer('STRICT', plaintext)).toMatchObject({ detail: expect.stringContaining('PERMISSIVE') })
  })
})
