import { describe, expect, it } from 'vitest'

import type { AuthorityCertificate } from '../../contracts/control-api.ts'
import { formatProblem } from '../../contracts/problem.ts'
import { authorityProblems } from './authority-expiry.ts'

const dayMs = 86_400_000

function certificate(role: AuthorityCertificate['role'], days: number, use: AuthorityCertificate['use'] = 'signing') {
  return { role, use, serialNumber: '01', notBeforeMs: 0, notAfterMs: days * dayMs }
}

describe('the end of the certificate authority', () => {
  const both = [certificate('root', 1000), certificate('intermediate', 100)]

  it('is no problem while a fifth of a life is left', () => {
    expect(authorityProblems(both, 80 * dayMs)).toEqual([])
  })

  it('is a warning below that, in the same words until it has come, with the way out', () => {
    const texts = [80 * dayMs + 1, 99 * dayMs].map((nowMs) => authorityProblems(both, nowMs).map(formatProblem))
    expect(texts[0]).toEqual([
      'certificate authority: warning HDL015: the intermediate ends at 1970-04-11T00:00Z (Run `heddle certs rotate --intermediate`.)',
    ])
    expect(texts[1]).toEqual(texts[0])
  })

  it('is an error once it has come', () => {
    expect(authorityProblems([certificate('root', 10)], 10 * dayMs)).toMatchObject([
      { severity: 'error', message: 'the root ended at 1970-01-11T00:00Z' },
    ])
  })

  it('is not that of a root which retires', () => {
    expect(authorityProblems([certificate('root', 1000), certificate('root', 10, 'retiring')], 9 * dayMs)).toEqual([])
  })
})
