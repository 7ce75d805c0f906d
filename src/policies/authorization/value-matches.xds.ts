// What one value of a field or condition stands for: "a", "a*", "*a", "*", and forms of its own for some.
import { escapeRegex } from '../route-match/string-matcher.xds.ts'
import type { ClaimMatch, IpBlock, Permission, Principal, TextMatch } from './authorization.spec.ts'
import { allOf, anyOf } from './rule-tree.xds.ts'

export function peerPrincipal(value: string, trustDomains: readonly string[]): Principal {
  const name = value.startsWith('spiffe://') ? value.slice('spiffe://'.length) : value
  if (name !== '*' && name.startsWith('*')) {
    // A suffix alone could reach into the scheme: "*/a" is no end of "spiffe://a".
    return { kind: 'authenticated', match: { kind: 'regex', value: `spiffe://.*${escapeRegex(name.slice(1))}` } }
  }
  const domain = name.slice(0, Math.max(0, name.indexOf('/')))
  const same = trustDomains.includes(domain) ? trustDomains : [domain]
  return anyOf(
    same.map((other): Principal => {
      const match = textMatch(other + name.slice(domain.length))
      return { kind: 'authenticated', match: 'value' in match ? { ...match, value: `spiffe://${match.value}` } : match }
    }),
  )
}

/** `only`: of these trust domains; absent: there are no others. Namespaces are the mesh's own: a foreign one of that name is another one. */
export function peerNamespace(value: string, only?: readonly string[]): Principal {
  if (only === undefined) return namespaceOfAny(value)
  return anyOf(
    only.map((domain): Principal => {
      const start = `spiffe://${domain}/ns/`
      const match: TextMatch = value.includes('*')
        ? { kind: 'regex', value: `${escapeRegex(start)}${someNamespace(value)}/.+` }
        : { kind: 'prefix', value: `${start}${value}/`, ignoreCase: false }
      return { kind: 'authenticated', match }
    }),
  )
}

function namespaceOfAny(value: string): Principal {
  if (!value.includes('*')) return { kind: 'workload', namespace: value, serviceAccount: undefined }
  return { kind: 'authenticated', match: { kind: 'regex', value: `spiffe://[^/]+/ns/${someNamespace(value)}/.+` } }
}

function someNamespace(value: string): string {
  return value === '*' ? '[^/]+' : value.split('*').map(escapeRegex).join('[^/]*')
}

/** "namespace/name", or a name in the policy's own namespace. `only` as above. */
export function peerServiceAccount(value: string, namespace: string, only?: readonly string[]): Principal {
  const [name = '', inNamespace = namespace] = value.split('/').toReversed()
  if (only !== undefined) {
    return anyOf(
      only.map((domain): Principal => {
        const id = `spiffe://${domain}/ns/${inNamespace}/sa/${name}`
        return { kind: 'authenticated', match: { kind: 'exact', value: id, ignoreCase: false } }
      }),
    )
  }
  return { kind: 'workload', namespace: inNamespace, serviceAccount: name }
}

/**
 * A token has issuer and subject apart, a pattern means them joined by "/", which may occur in both: every "/" of the pattern may be the
 * one between them.
 */
export function requestPrincipal(value: string): Principal {
  const pattern = textMatch(value)
  if (pattern.kind === 'present') return issuerAndSubject(pattern, pattern)
  const text = 'value' in pattern ? pattern.value : ''
  const pairs: Principal[] = []
  if (pattern.kind === 'prefix') pairs.push(issuerAndSubject(pattern, present))
  if (pattern.kind === 'suffix') pairs.push(issuerAndSubject(present, pattern))
  for (let slash = text.indexOf('/'); slash !== -1; slash = text.indexOf('/', slash + 1)) {
    const issuer = part(text.slice(0, slash), pattern.kind === 'suffix' ? 'suffix' : 'exact')
    const subject = part(text.slice(slash + 1), pattern.kind === 'prefix' ? 'prefix' : 'exact')
    if (issuer !== undefined && subject !== undefined) pairs.push(issuerAndSubject(issuer, subject))
  }
  return anyOf(pairs)
}

const present: TextMatch = { kind: 'present' }

/** Undefined: a token without it has no principal. */
function part(value: string, kind: 'exact' | 'prefix' | 'suffix'): TextMatch | undefined {
  if (value !== '') return { kind, value, ignoreCase: false }
  return kind === 'exact' ? undefined : present
}

function issuerAndSubject(issuer: TextMatch, subject: TextMatch): Principal {
  return allOf<Principal>([
    { kind: 'claim', path: ['iss'], value: { kind: 'text', match: issuer } },
    { kind: 'claim', path: ['sub'], value: { kind: 'text', match: subject } },
  ])
}

/** A text, or a list with such a text in it. */
export function claim(path: readonly string[], match: TextMatch): ClaimMatch {
  const text = { kind: 'text', match } as const
  return { kind: 'claim', path, value: { kind: 'or', values: [text, { kind: 'element', value: text }] } }
}

export function headerMatch(name: string, value: string, ignoreCase = false): Permission & Principal {
  const match = textMatch(value, ignoreCase)
  return { kind: 'header', name, match: match.kind === 'present' ? 'present' : match }
}

export function pathMatch(value: string): Permission {
  if (!/[{}]/.test(value)) return { kind: 'path', match: textMatch(value) }
  return { kind: 'template', template: value.replaceAll(/\{(\*\*?)\}/g, '$1') }
}

export function textMatch(value: string, ignoreCase = false): TextMatch {
  if (value === '*') return present
  if (value.startsWith('*')) return { kind: 'suffix', value: value.slice(1), ignoreCase }
  if (value.endsWith('*')) return { kind: 'prefix', value: value.slice(0, -1), ignoreCase }
  return { kind: 'exact', value, ignoreCase }
}

export function ipMatch(kind: 'directRemoteIp' | 'remoteIp', value: string): Principal {
  return { kind, block: ipBlock(value) }
}

export function ipBlock(value: string): IpBlock {
  const [address = '', length] = value.split('/')
  return { address, prefixLength: length === undefined ? (address.includes(':') ? 128 : 32) : Number(length) }
}
