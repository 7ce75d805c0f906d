// Rewrites by regular expression, in RE2's form (Envoy's regex_rewrite).
import { compileMatches } from '../route-match/full-match.runtime.ts'
import type { RegexRewriteSpec } from './rewrite.spec.ts'

type Piece = string | { readonly group: number; readonly inQuery: boolean }

/**
 * Undefined: it does not match. What a group matched may not say more than it did: where the substitution has put it into a query, it makes no
 * parameter of its own there. Throws an Error when expression or substitution are none.
 */
export function compileRegexRewrite({ pattern, substitution }: RegexRewriteSpec): (text: string) => string | undefined {
  const expression = compileMatches(pattern)
  const groups = new RegExp(`${pattern}|`).exec('')?.length ?? 1
  const pieces = parseSubstitution(substitution)
  const missing = pieces.find((piece) => typeof piece !== 'string' && piece.group >= groups)
  if (missing !== undefined)
    throw new Error(
      `the substitution ${JSON.stringify(substitution)} has a group that ${JSON.stringify(pattern)} has not`,
    )
  return (text) => {
    let matched = false
    const rewritten = text.replace(expression, (...found) => {
      matched = true
      return pieces.reduce<string>((whole, piece) => whole + textOf(piece, found as readonly unknown[]), '')
    })
    return matched ? rewritten : undefined
  }
}

function textOf(piece: Piece, found: readonly unknown[]): string {
  if (typeof piece === 'string') return piece
  // a group that has taken no part
  const text = (found[piece.group] as string | undefined) ?? ''
  return piece.inQuery ? text.replace(/[&=+;]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`) : text
}

function parseSubstitution(substitution: string): readonly Piece[] {
  const pieces: Piece[] = []
  let inQuery = false
  for (const [part, escaped] of substitution.matchAll(/\\(.?)|[^\\]+/gs)) {
    if (escaped === undefined) {
      inQuery ||= part.includes('?')
      pieces.push(part)
    } else if (escaped === '\\') pieces.push('\\')
    else if (/^[0-9]$/.test(escaped)) pieces.push({ group: Number(escaped), inQuery })
    else throw new Error(`${JSON.stringify(substitution)} is no substitution: "\\" goes with a digit or another "\\"`)
  }
  return pieces
}
