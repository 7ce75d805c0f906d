// The SPIFFE bundle endpoint, from both sides and over real sockets: what it gives to whom, and how little a hostile one can do.
import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Server, ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { after, describe, it } from 'node:test'

import { certificatesToPem } from '../../src/contracts/identity/pem.ts'
import { createAuthority } from '../../src/control/authority/authority.ts'
import { fetchBundle } from '../../src/control/federation/bundle-fetch.ts'
import { BundleServer } from '../../src/control/federation/bundle-server.ts'
import { OwnBundle } from '../../src/control/federation/own-bundle.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { parseSpiffeBundle } from '../../src/policies/federation/spiffe-bundle.schema.ts'
import { freePorts } from '../kit/free-ports.ts'
import { temporaryStateDir } from '../kit/identity-plane.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually } from '../kit/running-mesh.ts'
import { createSigner, issueSvid } from '../kit/trust-domains.ts'
import { until } from '../kit/until.ts'

const trustDomain = 'partner.example'
const endpointSpiffeId = `spiffe://${trustDomain}/server`
const root = createSigner({ trustDomain })
const rootsPem = certificatesToPem([root.der])
const issuer = createSigner({ trustDomain, issuer: root })
const clock = systemClock
const undo: (() => void)[] = []
after(() => {
  for (const one of undo) one()
})

function keysOf(spiffeId: string, signer = issuer): ServerOptions {
  const { certificateChainPem, privateKeyPem } = issueSvid(spiffeId, signer)
  return { cert: certificateChainPem, key: privateKeyPem }
}

async function serve(answer: RequestListener, options: ServerOptions = keysOf(endpointSpiffeId)): Promise<URL> {
  const server: Server = createHttpsServer(options, answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  undo.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`)
}

function ask(url: URL, timeoutMs = 5_000): Promise<string> {
  const { signal } = new AbortController()
  return fetchBundle(url, { clock, signal, timeoutMs, spiffe: { rootsPem, endpointSpiffeId } })
}

const fine: RequestListener = (_, response) => response.end('{}')

describe('who asks a bundle endpoint', () => {
  it('takes the answer of the SPIFFE ID that it expects', async () => {
    assert.equal(await ask(await serve(fine)), '{}')
  })

  const stranger = createSigner({ trustDomain })
  for (const [what, options, why] of [
    ['another SPIFFE ID', keysOf(`spiffe://${trustDomain}/other`), /it is .*\/other, not .*\/server/],
    ['another authority', keysOf(endpointSpiffeId, createSigner({ trustDomain, issuer: stranger })), /certificate/],
    ['no SPIFFE ID with a path', keysOf(`spiffe://${trustDomain}`), /has no path/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(ask(await serve(fine, options)), why)
    })
  }

  it('verifies an endpoint of https_web by its name, with the roots of the machine', async () => {
    const url = await serve(fine)
    await assert.rejects(
      fetchBundle(url, { clock, signal: new AbortController().signal, timeoutMs: 5_000 }),
      /certif|issuer/,
    )
  })

  for (const [what, answer, why] of [
    ['an endless answer', endless, /larger than 262144 bytes/],
    ['an answer that says nothing', () => {}, /no answer within 300 ms/],
    ['an answer byte by byte', drip, /no answer within 300 ms/],
    ['an answer that breaks off', breakOff, /aborted|hang up|reset/],
    ['an answer of many headers', manyHeaders, /header/i],
    ['a redirect', (_, response) => response.writeHead(302, { location: 'https://127.0.0.1/' }).end(), /status 302/],
    ['an error', (_, response) => response.writeHead(500).end('{}'), /status 500/],
  ] satisfies readonly (readonly [string, RequestListener, RegExp])[]) {
    it(`gives up on ${what}`, async () => {
      await assert.rejects(
        ask(await serve(answer), what.includes('answer') && !what.includes('endless') ? 300 : 5_000),
        why,
      )
    })
  }

  it('gives up on a server that has no certificate, and on none', async () => {
    const server = createHttpsServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    undo.push(() => server.close())
    await assert.rejects(ask(new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`)), Error)
    await assert.rejects(ask(new URL('https://127.0.0.1:1/')), /ECONNREFUSED/)
  })
})

describe('the bundle endpoint of a mesh', () => {
  it('opens where it is told, gives the bundle to whoever asks, and closes', async () => {
    const { authority, server, where, fetch } = await own()
    server.follow(where)
    await eventually(fetch, 5_000)
    const { bundle } = parseSpiffeBundle(await fetch())
    assert.equal(bundle?.rootsPem, authority.trustBundle.rootsPem)
    assert.equal(bundle.refreshHintMs, 300_000)
    server.follow(undefined)
    await assert.rejects(fetch(), /ECONNREFUSED/)
  })

  it('answers curl, which shows no certificate, and knows one path and no way to write', async () => {
    const { server, where, url, fetch } = await own()
    server.follow(where)
    await eventually(fetch, 5_000)
    const got = await runCommand('curl', ['-sk', url.href])
    assert.ok(parseSpiffeBundle(got.stdout).bundle, got.stdout)
    for (const [args, status] of [
      [['-X', 'POST', url.href], '405'],
      [[`${url.href}v1/mesh`], '404'],
      [['-I', url.href], '200'],
    ] as const) {
      const { stdout } = await runCommand('curl', ['-sk', '-o', '/dev/null', '-w', '%{http_code}', ...args])
      assert.equal(stdout, status)
    }
  })

  it('tells that it cannot listen, and tries again', async () => {
    const { server, where, fetch } = await own()
    const other = createHttpsServer()
    await new Promise<void>((resolve) => other.listen(where.port, '127.0.0.1', resolve))
    server.follow(where)
    await until('a fault', () => server.fault?.includes('EADDRINUSE') === true)
    other.close()
    await eventually(fetch, 5_000)
    assert.equal(server.fault, undefined)
  })

  it('is not held up by who connects and says nothing', async () => {
    const { server, where, fetch } = await own()
    server.follow(where)
    await eventually(fetch, 5_000)
    const silent = Array.from({ length: 50 }, () => connect(where.port, '127.0.0.1').on('error', () => {}))
    await fetch()
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.resume().once('close', resolve))))
  })

  it('counts its sequence up with each change, also after a restart', async () => {
    const { authority, create } = await own()
    const bundle = create()
    const first = bundle.current().spiffe_sequence
    assert.equal(bundle.current().spiffe_sequence, first)
    assert.equal(create().current().spiffe_sequence, first)
    authority.startRotation('root')
    const second = create().current().spiffe_sequence
    assert.ok(second > first)
    authority.advanceRotation()
    authority.advanceRotation()
    authority.advanceRotation()
    assert.ok(create().current().spiffe_sequence > second)
  })
})

async function own() {
  const stateDir = temporaryStateDir((remove) => undo.push(remove))
  const authority = createAuthority({ stateDir, trustDomain, clock, svidLifetimeMs: () => 60_000 })
  const create = (): OwnBundle =>
    new OwnBundle({ stateDir, authority, jwtKeys: () => [], refreshHintMs: () => 300_000, clock })
  const server = new BundleServer({ authority, bundle: create(), clock, logger: silentLogger })
  undo.push(() => server.stop())
  const [port = 0] = await freePorts(1)
  const where = { address: '127.0.0.1', port, refreshHint: '5m' }
  const url = new URL(`https://127.0.0.1:${port}/`)
  const fetch = (): Promise<string> =>
    fetchBundle(url, {
      clock,
      signal: new AbortController().signal,
      timeoutMs: 5_000,
      spiffe: {
        rootsPem: authority.trustBundle.rootsPem,
        endpointSpiffeId: `spiffe://${trustDomain}/ns/heddle-system/sa/control-plane`,
      },
    })
  return { authority, create, server, where, url, fetch }
}

function endless(_: unknown, response: Parameters<RequestListener>[1]): void {
  const write = (): void => {
    while (!response.destroyed && response.write(Buffer.alloc(65_536, ' ')));
    response.once('drain', write)
  }
  write()
}

function drip(_: unknown, response: Parameters<RequestListener>[1]): void {
  const timer = setInterval(() => response.write(' '), 20)
  response.on('close', () => clearInterval(timer))
}

function breakOff(_: unknown, response: Parameters<RequestListener>[1]): void {
  response.writeHead(200, { 'content-length': 1000 })
  response.write('{', () => response.destroy())
}

function manyHeaders(_: unknown, response: Parameters<RequestListener>[1]): void {
  for (let i = 0; i < 200; i++) response.setHeader(`x-${i}`, 'x'.repeat(1_000))
  response.end('{}')
}
