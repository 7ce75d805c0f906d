// Whether one of several patterns for names of headers fits.
import type { HeaderPattern } from './external-authorization.spec.ts'

/** `name` in lower case. */
export function matchesHeader(patterns: readonly HeaderPattern[], name: string): boolean {
  return patterns.some((pattern) => matches(pattern.toLowerCase(), name))
}

function matches(pattern: string, name: string): boolean {
  if (pattern === '*') return true
  if (pattern.endsWith('*')) return name.startsWith(pattern.slice(0, -1))
  if (pattern.startsWith('*')) return name.endsWith(pattern.slice(1))
  return name === pattern
}
