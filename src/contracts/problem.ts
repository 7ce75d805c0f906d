// What is wrong with something a person wrote: collected, never thrown one by one. The codes live here and nowhere else.

/** Where in a file; line and column count from 1. */
export interface SourcePosition {
  readonly file: string
  readonly line: number
  readonly column: number
}

export type ProblemCode = keyof typeof problemCodes

/** Every code has a section in docs/problems.md. */
export const problemCodes = {
  HDL001: 'unreadable file',
  HDL002: 'not valid YAML',
  HDL003: 'unknown kind',
  HDL004: 'unknown field',
  HDL005: 'wrong type or value',
  HDL006: 'missing field',
  HDL007: 'duplicate name',
  HDL008: 'dangling reference',
  HDL009: 'reference not permitted',
  HDL010: 'not supported',
  HDL011: 'port taken',
  HDL012: 'conflicting documents',
  HDL013: 'rejected by a proxy',
  HDL014: 'workload failing',
  HDL015: 'authority near its end',
  HDL016: 'code of a filter',
} as const

export interface Problem {
  readonly code: ProblemCode
  /** A warning leaves the document in force; an error keeps the last good one. */
  readonly severity: 'error' | 'warning'
  /** What was found, what was expected and, where there is one, the nearest right spelling. */
  readonly message: string
  /** What to do next, as an imperative sentence. */
  readonly hint?: string
  readonly position?: SourcePosition
  /** "HTTPRoute/default/reviews". */
  readonly document?: string
  /** Dotted path inside the document: "spec.rules[0].backendRefs[1].port". */
  readonly path?: string
}

/** `file:line:column: error HDL004: message (hint)`: one line, for terminals and logs. */
export function formatProblem(problem: Problem): string {
  const at = problem.position
  const place = at === undefined ? (problem.document ?? '') : `${at.file}:${at.line}:${at.column}`
  const hint = problem.hint === undefined ? '' : ` (${problem.hint})`
  return `${place === '' ? '' : `${place}: `}${problem.severity} ${problem.code}: ${problem.message}${hint}`
}
