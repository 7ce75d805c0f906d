import { describe, expect, it } from 'vitest'

import { formatProblem } from './problem.ts'

describe('formatProblem', () => {
  it('gives place, severity, code, message and the way out in one line', () => {
    const position = { file: 'mesh.yaml', line: 3, column: 5 }
    expect(
      formatProblem({
        code: 'HDL004',
        severity: 'error',
        message: 'unknown field "prot"',
        hint: 'did you mean "port"?',
        position,
      }),
    ).toBe('mesh.yaml:3:5: error HDL004: unknown field "prot" (did you mean "port"?)')
    expect(formatProblem({ code: 'HDL008', severity: 'warning', message: 'm', document: 'HTTPRoute/default/a' })).toBe(
      'HTTPRoute/default/a: warning HDL008: m',
    )
  })
})
