// Claims of verified tokens, compiled to closures.
import type { VerifiedToken } from '../../contracts/http-filter.ts'
import type { ClaimMatch, ClaimValueMatch } from './authorization.spec.ts'
import { compileText } from './text-match.runtime.ts'

export function compileClaim({ path, value }: ClaimMatch): (token: VerifiedToken) => boolean {
  const test = compileClaimValue(value)
  const [name, ...inner] = path
  const read = claimReader(name ?? '', inner.length === 0)
  return (token) => {
    let claim = read(token)
    for (const key of inner) {
      if (!isObject(claim) || !Object.hasOwn(claim, key)) return false
      claim = claim[key]
    }
    return claim !== undefined && test(claim)
  }
}

function claimReader(name: string, last: boolean): (token: VerifiedToken) => unknown {
  const own = ({ claims }: VerifiedToken): unknown => (Object.hasOwn(claims, name) ? claims[name] : undefined)
  if (!last) return own
  switch (name) {
    case 'iss':
      return ({ issuer }) => issuer
    case 'sub':
      return ({ subject }) => subject
    case 'aud':
      return ({ audiences }) => audiences
    case 'scope':
    case 'permission':
      // Lists in one text (RFC 8693 section 4.2).
      return (token) => {
        const claim = own(token)
        return typeof claim === 'string' ? claim.split(' ') : claim
      }
    default:
      return own
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function compileClaimValue(value: ClaimValueMatch): (claim: unknown) => boolean {
  switch (value.kind) {
    case 'present':
      return () => true
    case 'text': {
      const test = compileText(value.match)
      return (claim) => typeof claim === 'string' && test(claim)
    }
    case 'element': {
      const test = compileClaimValue(value.value)
      return (claim) => Array.isArray(claim) && claim.some(test)
    }
    case 'or':
    default: {
      const tests = value.values.map(compileClaimValue)
      return (claim) => tests.some((test) => test(claim))
    }
  }
}
