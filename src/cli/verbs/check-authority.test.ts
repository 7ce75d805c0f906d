import { describe, expect, it } from 'vitest'

import type { AuthorityCertificate } from '../../contracts/control-api.ts'
import { checkAuthority } from './check-authority.ts'

const dayMs = 86_400_000

function certificate(role: AuthorityCertificate['role'], days: number, use: AuthorityCertificate['use'] = 'signing') {
  return { role, use, serialNumber: '01', notBeforeMs: 0, notAfterMs: days * dayMs }
}

describe('the check of the certificate authority', () => {
  const both = [certificate('root', 1000), certificate('intermediate', 100)]

  it('says which certificate ends first', () => {
    expect(checkAuthority(both, 80 * dayMs)).toMatchObject({ ok: true, detail: 'the intermediate expires in 20d' })
    expect(checkAuthority(both, 80 * dayMs)).not.toHaveProperty('warning')
  })

  it('warns when less than a fifth of a life is left, and says what to do', () => {
    expect(checkAuthority(both, 80 * dayMs + 1)).toMatchObject({
      ok: true,
      warning: true,
      detail: expect.stringMatching(/^the intermediate expires in .*: run `heddle certs rotate --intermediate`$/),
    })
    expect(checkAuthority([certificate('root', 1000)], 801 * dayMs).detail).toMatch(/the root .*rotate --root/)
  })

  it('is not fine with one that has expired', () => {
    expect(checkAuthority(both, 103 * dayMs)).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/^the intermediate expired 3d ago/),
    })
  })

  it('passes over a root that retires', () => {
    const retiring = [certificate('root', 1000), certificate('root', 10, 'retiring')]
    expect(checkAuthority(retiring, 9 * dayMs)).not.toHaveProperty('warning')
  })
})
