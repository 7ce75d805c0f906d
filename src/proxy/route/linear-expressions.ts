// Keeps the regular expressions of routes from taking exponential time on hostile text, see policies/route-match.
import { setFlagsFromString } from 'node:v8'

/** Holds for the whole process, and for the expressions compiled from now on. */
export function boundExpressions(): void {
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')
}
