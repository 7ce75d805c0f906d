// Keys of an issuer from a real HTTPS server with a CA of its own: rotated, failing, slow, and not to be trusted.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, it } from 'node:test'
import { pathToFileURL } from 'node:url'

import { SignJWT } from 'jose'

import type { FilterResult, HttpFilter } from '../../src/contracts/http-filter.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { Clock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { requestAuthenticationFilter } from '../../src/policies/request-authentication/request-authentication.runtime.ts'
import type { JwtRule } from '../../src/policies/request-authentication/request-authentication.spec.ts'
import { createJwksSource } from '../../src/proxy/jwks/jwks-source.ts'
import type { ClosableJwksSource } from '../../src/proxy/jwks/jwks-source.ts'
import { bearer, issuer } from '../kit/json-web-tokens.ts'
import { ManualClock } from '../kit/manual-clock.ts'
import { until } from '../kit/until.ts'
import { webCertificate } from '../kit/web-certificates.ts'

const certificate = webCertificate('localhost')
const one = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const servers: Server[] = []
const sources: ClosableJwksSource[] = []
const folders: string[] = []

afterEach(() => {
  for (const source of sources.splice(0)) source.close()
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function jwksOf(keys: Readonly<Record<string, KeyObject>>): string {
  const entries = Object.entries(keys).map(([kid, key]) => ({ ...key.export({ format: 'jwk' }), kid }))
  return JSON.stringify({ keys: entries })
}

async function serve(answer: (response: ServerResponse, request: IncomingMessage) => void): Promise<string> {
  const server = createServer({ cert: certificate.certificateChainPem, key: certificate.privateKeyPem })
  server.on('request', (request: IncomingMessage, response: ServerResponse) => answer(response, request))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  return `https://localhost:${(server.address() as AddressInfo).port}/jwks.json`
}

interface Keys {
  readonly jwksUri?: string
  readonly jwks?: string
  readonly timeoutMs?: number
}

function filterFor(keys: Keys, clock: Clock = systemClock, ca: string = certificate.certificateChainPem): HttpFilter {
  const source = createJwksSource({ clock, logger: silentLogger }, { ca })
  sources.push(source)
  const rule: JwtRule = {
    issuer,
    audiences: [],
    timeoutMs: 5_000,
    fromHeaders: [],
    fromParams: [],
    fromCookies: [],
    forwardOriginalToken: false,
    outputClaimToHeaders: [],
    ...keys,
  }
  return requestAuthenticationFilter({ rules: [rule] }, { clock, jwks: source })
}

function token(kid: string, key: KeyObject): Promise<string> {
  return new SignJWT({ sub: 'alice' }).setIssuer(issuer).setProtectedHeader({ alg: 'ES256', kid }).sign(key)
}

function apply(filter: HttpFilter, text: string): FilterResult | Promise<FilterResult> {
  return filter.apply(bearer(text))
}

async function detailOf(filter: HttpFilter, text: string): Promise<string | undefined> {
  const result = await apply(filter, text)
  if (result !== undefined) assert.equal(result.status, 401)
  return result?.detail
}

const fetchFailed = 'Jwks remote fetch is failed'
const unknownKey = "Jwks doesn't have key to match kid or alg from Jwt"

it('follows a rotation, by one fetch in ten seconds, and lets no token of a removed key pass', async () => {
  const clock = new ManualClock()
  let keys = { one: one.publicKey } as Record<string, KeyObject>
  let fetches = 0
  const jwksUri = await serve((response) => {
    fetches++
    response.end(jwksOf(keys))
  })
  const filter = filterFor({ jwksUri }, clock)
  const old = await token('one', one.privateKey)
  const fresh = await token('other', other.privateKey)
  assert.equal(await detailOf(filter, old), undefined)
  assert.equal(apply(filter, old), undefined, 'a token that was verified waits for nothing')

  keys = { other: other.publicKey }
  assert.equal(await detailOf(filter, fresh), unknownKey)
  assert.equal(fetches, 1)
  clock.advance(10_000)
  assert.deepEqual(await Promise.all([detailOf(filter, fresh), detailOf(filter, fresh)]), [undefined, undefined])
  assert.equal(fetches, 2)
  assert.equal(await detailOf(filter, old), unknownKey)
})

it('goes on with the keys it has while the server fails, for an hour', async () => {
  const clock = new ManualClock()
  let failing = false
  let failures = 0
  const jwksUri = await serve((response) => {
    if (failing) failures++
    response.setHeader('cache-control', 'public, max-age=120')
    response.writeHead(failing ? 500 : 200).end(jwksOf({ one: one.publicKey }))
  })
  const filter = filterFor({ jwksUri }, clock)
  const text = await token('one', one.privateKey)
  assert.equal(await detailOf(filter, text), undefined)
  failing = true
  clock.advance(96_000)
  assert.equal(apply(filter, text), undefined)
  await until('the keys were asked for in the background', () => failures === 1)
  clock.advance(3_000_000)
  assert.equal(await detailOf(filter, text), undefined)
  clock.advance(1_000_000)
  assert.equal(await detailOf(filter, text), fetchFailed)
  failing = false
  clock.advance(10_000)
  assert.equal(await detailOf(filter, text), undefined)
})

const faults: readonly [string, (response: ServerResponse) => void][] = [
  ['answers with an error', (response) => void response.writeHead(503).end(jwksOf({ one: one.publicKey }))],
  [
    'leads elsewhere',
    (response) => void response.writeHead(302, { location: '/' }).end(jwksOf({ one: one.publicKey })),
  ],
  ['answers with something else', (response) => void response.end('<html>')],
  ['says too much', (response) => void response.end(jwksOf({ one: one.publicKey }) + ' '.repeat(1024 * 1024))],
  [
    'breaks off',
    (response) => void response.writeHead(200, { 'content-length': 9 }).write('{', () => response.destroy()),
  ],
  ['closes', (response) => void response.destroy()],
]
for (const [what, answer] of faults) {
  it(`lets nobody pass when the server ${what}`, async () => {
    const filter = filterFor({ jwksUri: await serve(answer) })
    assert.equal(await detailOf(filter, await token('one', one.privateKey)), fetchFailed)
  })
}

it('waits for a slow server no longer than it may', async () => {
  const silent = filterFor({ jwksUri: await serve(() => undefined), timeoutMs: 50 })
  assert.equal(await detailOf(silent, await token('one', one.privateKey)), fetchFailed)
  const dripping = filterFor({ jwksUri: await serve((response) => void response.write('{')), timeoutMs: 50 })
  assert.equal(await detailOf(dripping, await token('one', one.privateKey)), fetchFailed)
})

it('believes no server of another CA or name', async () => {
  const jwksUri = await serve((response) => void response.end(jwksOf({ one: one.publicKey })))
  const text = await token('one', one.privateKey)
  const stranger = webCertificate('localhost').certificateChainPem
  assert.equal(await detailOf(filterFor({ jwksUri }, systemClock, stranger), text), fetchFailed)
  const otherName = jwksUri.replace('localhost', '127.0.0.1')
  assert.equal(await detailOf(filterFor({ jwksUri: otherName }), text), fetchFailed)
  assert.equal(await detailOf(filterFor({ jwksUri }), text), undefined)
})

it('ends a fetch when it is closed', { timeout: 3_000 }, async () => {
  let asked = false
  const filter = filterFor({ jwksUri: await serve(() => (asked = true)), timeoutMs: 60_000 })
  const result = detailOf(filter, await token('one', one.privateKey))
  await until('the server is asked', () => asked)
  sources[0]?.close()
  assert.equal(await result, fetchFailed)
})

it('takes keys from a file, and from the rule itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-jwks-'))
  folders.push(folder)
  const path = join(folder, 'jwks.json')
  writeFileSync(path, jwksOf({ one: one.publicKey }))
  const text = await token('one', one.privateKey)
  for (const keys of [{ jwksUri: pathToFileURL(path).href }, { jwks: jwksOf({ one: one.publicKey }) }]) {
    const filter = filterFor(keys)
    assert.equal(await detailOf(filter, text), undefined)
    assert.equal(apply(filter, text), undefined)
    assert.equal(await detailOf(filter, await token('other', other.privateKey)), unknownKey)
  }
  assert.equal(await detailOf(filterFor({ jwksUri: pathToFileURL(join(folder, 'none')).href }), text), fetchFailed)
})
