// What of a request decides which endpoint it goes to, as one number. Several parts are combined as Envoy does it, in their order.
import type { RequestHead } from '../../contracts/http-message.ts'
import { type Random, randomHexadecimal } from '../../core/random.ts'
import { hashText } from './key-hash.runtime.ts'
import type { HashedPart, HashPolicySpec } from './load-balancing.spec.ts'

export interface HashedCaller {
  /** IP address. */
  readonly address: string
  readonly spiffeId: string | undefined
}

export interface RequestKey {
  /** 32 bits; undefined: nothing of what decides is there. */
  hash: number | undefined
  /** `Set-Cookie` lines for the response: the caller had no cookie and was given one. */
  setCookies: string[] | undefined
}

export type RequestHasher = (request: RequestHead, caller: HashedCaller, random: Random) => RequestKey

type Cookie = Extract<HashedPart, { kind: 'cookie' }>

export function compileHashPolicies(policies: readonly HashPolicySpec[]): RequestHasher {
  return (request, caller, random) => {
    const key: RequestKey = { hash: undefined, setCookies: undefined }
    for (const policy of policies) {
      const text = partOf(policy, request, caller) ?? (policy.kind === 'cookie' ? give(policy, key, random) : undefined)
      if (text === undefined) continue
      const hash = hashText(text, 0)
      key.hash = key.hash === undefined ? hash : (((key.hash << 1) | (key.hash >>> 31)) ^ hash) >>> 0
      if (policy.terminal === true) break
    }
    return key
  }
}

function partOf(part: HashedPart, { headers, path }: RequestHead, caller: HashedCaller): string | undefined {
  switch (part.kind) {
    case 'header':
      return headers.get(part.name)
    case 'cookie':
      return cookieOf(headers.get('cookie'), part.name)
    case 'query-parameter':
      return parameterOf(path, part.name)
    case 'source-identity':
      return caller.spiffeId
    case 'source-address':
    default:
      return caller.address
  }
}

/** A new cookie, where one is to be given. */
function give({ name, path, ttlMs }: Cookie, key: RequestKey, random: Random): string | undefined {
  if (ttlMs === undefined) return undefined
  const value = randomHexadecimal(random, 2)
  const age = ttlMs === 0 ? '' : `; Max-Age=${Math.ceil(ttlMs / 1000)}`
  const line = `${name}=${value}${age}${path === undefined ? '' : `; Path=${path}`}; HttpOnly`
  key.setCookies = [...(key.setCookies ?? []), line]
  return value
}

/** RFC 6265 section 4.2. */
export function cookieOf(line: string | undefined, name: string): string | undefined {
  if (line === undefined) return undefined
  for (const pair of line.split(/[;,] ?/)) {
    if (pair.length > name.length && pair.startsWith(name) && pair.charAt(name.length) === '=') {
      const value = pair.slice(name.length + 1)
      return value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value
    }
  }
  return undefined
}

/** As it is written: the same value written otherwise is another. */
function parameterOf(path: string, name: string): string | undefined {
  const query = path.indexOf('?')
  if (query === -1) return undefined
  for (const pair of path.slice(query + 1).split('&')) {
    const equals = pair.indexOf('=')
    if ((equals === -1 ? pair : pair.slice(0, equals)) === name) return equals === -1 ? '' : pair.slice(equals + 1)
  }
  return undefined
}
