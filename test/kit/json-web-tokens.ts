// Tokens of one issuer, the keys that verify them, and a filter that has those keys.
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject, KeyPairKeyObjectResult } from 'node:crypto'

import { exportJWK, SignJWT } from 'jose'
import type { JWK } from 'jose'

import type { FilteredRequest, HttpFilter } from '../../src/contracts/http-filter.ts'
import { HeaderList } from '../../src/core/header-list.ts'
import { parseJwks } from '../../src/policies/request-authentication/jwks.runtime.ts'
import type { JwksSource, KeySet } from '../../src/policies/request-authentication/jwks.runtime.ts'
import { requestAuthenticationFilter } from '../../src/policies/request-authentication/request-authentication.runtime.ts'
import type { JwtRule } from '../../src/policies/request-authentication/request-authentication.spec.ts'
import { ManualClock } from './manual-clock.ts'

export const issuer = 'https://issuer.example'
export const nowSeconds = 1_700_000_000

export const rsa: KeyPairKeyObjectResult = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const p256: KeyPairKeyObjectResult = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const p384: KeyPairKeyObjectResult = generateKeyPairSync('ec', { namedCurve: 'P-384' })
export const p521: KeyPairKeyObjectResult = generateKeyPairSync('ec', { namedCurve: 'P-521' })
export const ed25519: KeyPairKeyObjectResult = generateKeyPairSync('ed25519')
export const stranger: KeyPairKeyObjectResult = generateKeyPairSync('ec', { namedCurve: 'P-256' })

export async function publicJwk(key: KeyObject, members: JWK): Promise<JWK> {
  return { ...(await exportJWK(key)), ...members }
}

export const sharedSecret = 'a shared secret that is long enough'

/** Also holds keys that verify nothing. */
export const jwks: string = JSON.stringify({
  keys: [
    await publicJwk(rsa.publicKey, { kid: 'rsa', use: 'sig' }),
    await publicJwk(rsa.publicKey, { kid: 'only-rs256', alg: 'RS256' }),
    await publicJwk(rsa.publicKey, { kid: 'for-encryption', use: 'enc' }),
    await publicJwk(p256.publicKey, { kid: 'p256' }),
    await publicJwk(p256.publicKey, { kid: 'for-agreement', key_ops: ['deriveBits'] }),
    await publicJwk(p384.publicKey, { kid: 'p384' }),
    await publicJwk(p521.publicKey, { kid: 'p521' }),
    await publicJwk(ed25519.publicKey, { kid: 'ed25519' }),
    { kty: 'oct', kid: 'secret', k: Buffer.from(sharedSecret).toString('base64url') },
    { ...(await exportJWK(stranger.privateKey)), kid: 'private' },
  ],
})

export class FixedKeys implements JwksSource {
  keys: KeySet | undefined = parseJwks(jwks)
  /** What the next call brings. */
  next: KeySet | undefined = this.keys
  calls: string[] = []

  current(): KeySet | undefined {
    return this.keys
  }

  load(): Promise<KeySet> {
    return this.#fetch('load')
  }

  reload(): Promise<KeySet> {
    return this.#fetch('reload')
  }

  #fetch(call: string): Promise<KeySet> {
    this.calls.push(call)
    this.keys = this.next
    return this.keys === undefined ? Promise.reject(new Error('not to be had')) : Promise.resolve(this.keys)
  }
}

const baseRule: JwtRule = {
  issuer,
  audiences: [],
  jwks,
  timeoutMs: 5000,
  fromHeaders: [],
  fromParams: [],
  fromCookies: [],
  forwardOriginalToken: false,
  outputClaimToHeaders: [],
}

export interface TestFilter {
  readonly clock: ManualClock
  readonly source: FixedKeys
  readonly filter: HttpFilter
}

/** With a rule for each of `changes`. */
export function filterOf(...changes: readonly Partial<JwtRule>[]): TestFilter {
  const clock = new ManualClock(nowSeconds * 1000)
  const source = new FixedKeys()
  const rules = changes.map((change) => ({ ...baseRule, ...change }))
  const filter = requestAuthenticationFilter({ rules }, { clock, jwks: source })
  return { clock, source, filter }
}

export function request(headers: readonly (readonly [string, string])[], path = '/'): FilteredRequest {
  return {
    head: { method: 'GET', scheme: 'http', authority: 'shop.example', path, headers: HeaderList.of(...headers) },
    path: path.split('?')[0] ?? '',
    peer: {
      principal: undefined,
      address: '127.0.0.1',
      port: 40_000,
      remoteAddress: '127.0.0.1',
      localAddress: '127.0.0.1',
      localPort: 80,
      sni: undefined,
    },
    body: undefined,
    token: undefined,
    authorization: undefined,
  }
}

export function bearer(token: string): FilteredRequest {
  return request([['Authorization', `Bearer ${token}`]])
}

export const goodClaims: object = { iss: issuer, sub: 'alice', aud: 'shop', exp: nowSeconds + 600 }

export function jwt(
  claims: object = goodClaims,
  header: object = {},
  key: KeyObject = p256.privateKey,
): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'p256', ...header }).sign(key)
}
