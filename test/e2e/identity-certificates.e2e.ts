// Proxies get, renew and are refused certificates, over real gRPC and TLS on loopback.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from 'node:tls'

import { controlPlaneSpiffeId } from '../../src/contracts/identity/control-plane-identity.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createCertificateClient } from '../../src/proxy/identity/certificate-client.ts'
import { createCertificateRequest } from '../../src/proxy/identity/certificate-request.ts'
import { openControlPlaneChannel } from '../../src/proxy/identity/control-plane-channel.ts'
import { CertificateRefused } from '../../src/proxy/identity/identity-agent.ts'
import type { SignCertificate } from '../../src/proxy/identity/identity-agent.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'
import {
  payment,
  startAgent,
  startIdentityPlane,
  temporaryStateDir,
  trustDomain,
  web,
  whoAmIPath,
} from '../kit/identity-plane.ts'
import type { IdentityPlane } from '../kit/identity-plane.ts'
import { until } from '../kit/until.ts'

// nothing here may go through a proxy of the environment
process.env['http_proxy'] = process.env['https_proxy'] = process.env['grpc_proxy'] = 'http://127.0.0.1:1'

const hourMs = 3_600_000
const fiveSeconds = (): number => 5_000
const twoSeconds = (): number => 2_000

function clientOf(plane: IdentityPlane): SignCertificate {
  return createCertificateClient({
    address: plane.address,
    trustBundleFile: plane.authority.trustBundleFile,
    controlPlaneSpiffeId: controlPlaneSpiffeId(trustDomain),
    clock: systemClock,
  })
}

async function credentialsOf(plane: IdentityPlane, spiffeId: string): Promise<TlsCredentials> {
  const token = await plane.tokens.create('default/any', spiffeId, hourMs)
  const agent = startAgent({
    address: () => plane.address,
    trustBundleFile: plane.authority.trustBundleFile,
    token: () => Promise.resolve(token),
    spiffeId,
  })
  await until('a certificate', () => agent.credentials.value !== undefined)
  agent.stop()
  return agent.credentials.value as TlsCredentials
}

/** Whom the server takes the client for. */
function whoAmI(plane: IdentityPlane, credentials: TlsCredentials | undefined, expected?: string): Promise<string> {
  const client = openControlPlaneChannel({
    address: plane.address,
    trustBundleFile: plane.authority.trustBundleFile,
    controlPlaneSpiffeId: expected ?? controlPlaneSpiffeId(trustDomain),
    credentials,
  })
  return new Promise<string>((resolve, reject) => {
    client.makeUnaryRequest(whoAmIPath, asIs, asIs, Buffer.alloc(0), (error, names) =>
      error === null ? resolve(String(names)) : reject(error),
    )
  }).finally(() => client.close())
}

const asIs = (bytes: Buffer): Buffer => bytes

test('a proxy joins with a token and is known by its certificate from then on', async (t) => {
  const plane = await startIdentityPlane({ stateDir: temporaryStateDir((undo) => t.after(undo)) })
  t.after(() => plane.stop())
  const credentials = await credentialsOf(plane, web)
  assert.equal(credentials.rootsPem, plane.authority.trustBundle.rootsPem)
  assert.equal(await whoAmI(plane, credentials), `URI:${web}`)
  await assert.rejects(whoAmI(plane, undefined), /nobody/)
})

test('a token serves one key, and no log or error ever shows it', async (t) => {
  const plane = await startIdentityPlane({ stateDir: temporaryStateDir((undo) => t.after(undo)) })
  t.after(() => plane.stop())
  const sign = clientOf(plane)
  const token = await plane.tokens.create('default/web', web, hourMs)
  const messages: string[] = []
  const refused = async (csrDer: Uint8Array, proof: string): Promise<string> => {
    const error: unknown = await sign(csrDer, { kind: 'token', token: proof }).then(
      () => assert.fail('it was signed'),
      (reason: unknown) => reason,
    )
    assert.ok(error instanceof CertificateRefused, String(error))
    messages.push(error.message)
    return error.message
  }

  const other = createCertificateRequest(payment)
  assert.match(await refused(other.csrDer, token), /is for ".*payment", but the caller is .*web: ask for your own/)
  const mine = createCertificateRequest(web)
  assert.equal((await sign(mine.csrDer, { kind: 'token', token })).chainDer.length, 2, 'the refusal used nothing up')
  assert.equal((await sign(mine.csrDer, { kind: 'token', token })).chainDer.length, 2, 'the first answer may be lost')
  const replay = createCertificateRequest(web)
  assert.match(
    await refused(replay.csrDer, token),
    /was used before, by another key: make a new one with `heddle token join create`/,
  )
  assert.match(await refused(replay.csrDer, `${token}x`), /the join token is malformed/)
  const expired = await plane.tokens.create('default/web', web, 0)
  assert.match(await refused(replay.csrDer, expired), /has expired: make a new one/)
  assert.match(await refused(new Uint8Array([1, 2, 3]), token), /not PKCS#10/)

  const written = [...plane.log, ...messages].join('\n')
  assert.ok(!written.includes(token) && !written.includes(expired) && !written.includes('PRIVATE'))
})

test('a certificate renews its own identity only, and only while it is valid', async (t) => {
  let lifetimeMs = hourMs
  const stateDir = temporaryStateDir((undo) => t.after(undo))
  const plane = await startIdentityPlane({ stateDir, svidLifetimeMs: () => lifetimeMs })
  t.after(() => plane.stop())
  const sign = clientOf(plane)
  const credentials = await credentialsOf(plane, web)
  const proof = { kind: 'svid', credentials } as const
  assert.equal((await sign(createCertificateRequest(web).csrDer, proof)).chainDer.length, 2)
  await assert.rejects(sign(createCertificateRequest(payment).csrDer, proof), /the caller is .*web/)

  lifetimeMs = 1_500
  const short = await credentialsOf(plane, web)
  const endMs = new X509Certificate(short.certificateChainPem).validToDate.getTime()
  await until('its end', () => Date.now() > endMs + 50)
  const late = sign(createCertificateRequest(web).csrDer, { kind: 'svid', credentials: short })
  await assert.rejects(late, /show a valid X.509-SVID/)
})

test('certificates of another authority count for nothing, on both sides', async (t) => {
  const plane = await startIdentityPlane({ stateDir: temporaryStateDir((undo) => t.after(undo)) })
  t.after(() => plane.stop())
  const impostor = await startIdentityPlane({ stateDir: temporaryStateDir((undo) => t.after(undo)) })
  t.after(() => impostor.stop())
  const foreign = await credentialsOf(impostor, web)
  await assert.rejects(whoAmI(plane, foreign), /nobody/)
  const renewal = clientOf(plane)(createCertificateRequest(web).csrDer, { kind: 'svid', credentials: foreign })
  await assert.rejects(renewal, /show a valid X.509-SVID/)

  const astray = createCertificateClient({
    address: impostor.address,
    trustBundleFile: plane.authority.trustBundleFile,
    controlPlaneSpiffeId: controlPlaneSpiffeId(trustDomain),
    clock: systemClock,
  })
  const token = await plane.tokens.create('default/web', web, hourMs)
  await assert.rejects(astray(createCertificateRequest(web).csrDer, { kind: 'token', token }), /certificate/)
  assert.ok(!impostor.log.some((line) => line.includes('refused')), 'the token never left for the impostor')
})

test('a control plane with the wrong SPIFFE ID is not talked to', async (t) => {
  const plane = await startIdentityPlane({ stateDir: temporaryStateDir((undo) => t.after(undo)) })
  t.after(() => plane.stop())
  const credentials = await credentialsOf(plane, web)
  for (let i = 0; i < 3; i++) {
    assert.equal(await whoAmI(plane, credentials), `URI:${web}`)
    await assert.rejects(whoAmI(plane, credentials, payment), /it is .*control-plane, not .*payment/)
  }
})

test('a TLS session cannot be resumed, so that no one is taken for who it was', async (t) => {
  const plane = await startIdentityPlane({ stateDir: temporaryStateDir((undo) => t.after(undo)) })
  t.after(() => plane.stop())
  const credentials = await credentialsOf(plane, web)
  const handshake = (session?: Buffer): Promise<{ reused: boolean; sessions: Buffer[] }> =>
    new Promise((resolve, reject) => {
      const sessions: Buffer[] = []
      const socket = connect({
        port: plane.port,
        host: '127.0.0.1',
        ca: credentials.rootsPem,
        cert: credentials.certificateChainPem,
        key: credentials.privateKeyPem,
        ALPNProtocols: ['h2'],
        checkServerIdentity: () => undefined,
        ...(session && { session }),
      })
      socket.on('session', (given) => sessions.push(given))
      // the server's settings follow its tickets
      socket.once('data', () => {
        resolve({ reused: socket.isSessionReused(), sessions })
        socket.destroy()
      })
      socket.on('error', reject)
    })
  const first = await handshake()
  assert.equal(first.reused, false)
  for (const session of first.sessions) assert.equal((await handshake(session)).reused, false)
})

test('an identity that the mesh no longer has is not renewed', async (t) => {
  const known = new Set([web])
  const plane = await startIdentityPlane({
    stateDir: temporaryStateDir((undo) => t.after(undo)),
    authorizedIdentity: (spiffeId) => known.has(spiffeId),
  })
  t.after(() => plane.stop())
  const own = controlPlaneSpiffeId(trustDomain)
  known.add(own)
  const token = await plane.tokens.create('default/any', own, hourMs)
  const taken = clientOf(plane)(createCertificateRequest(own).csrDer, { kind: 'token', token })
  await assert.rejects(taken, /is the control plane: give the workload another service account/)
  const credentials = await credentialsOf(plane, web)
  known.clear()
  const renewal = clientOf(plane)(createCertificateRequest(web).csrDer, { kind: 'svid', credentials })
  await assert.rejects(renewal, /has no workload or gateway .*web: apply its document first/)
})

test('a missing trust bundle or token file is named, and the proxy goes on trying', async (t) => {
  const stateDir = temporaryStateDir((undo) => t.after(undo))
  const plane = await startIdentityPlane({ stateDir })
  t.after(() => plane.stop())
  const trustBundleFile = join(stateDir, 'proxy-bundle.pem')
  const log: string[] = []
  let token = ''
  const agent = startAgent({
    address: () => plane.address,
    trustBundleFile,
    token: () => Promise.resolve(token),
    log,
  })
  t.after(() => agent.stop())
  const logged = (text: string) => (): boolean => log.some((line) => line.includes(text))
  await until('the missing file to be named', logged(`cannot read the trust bundle ${trustBundleFile}`))
  writeFileSync(trustBundleFile, plane.authority.trustBundle.rootsPem)
  await until('the empty token to be refused', logged('show a valid X.509-SVID of this trust domain, or a join token'))
  token = await plane.tokens.create('default/web', web, hourMs)
  await until('a certificate', () => agent.credentials.value !== undefined)
})

test('a control plane that accepts and says nothing costs one attempt, not the certificate', async (t) => {
  const plane = await startIdentityPlane({ stateDir: temporaryStateDir((undo) => t.after(undo)) })
  t.after(() => plane.stop())
  const sockets = new Set<Socket>()
  const silent = createServer((socket) => sockets.add(socket))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const token = await plane.tokens.create('default/web', web, hourMs)
  const log: string[] = []
  let address = `127.0.0.1:${(silent.address() as AddressInfo).port}`
  const agent = startAgent({
    address: () => address,
    trustBundleFile: plane.authority.trustBundleFile,
    token: () => Promise.resolve(token),
    log,
  })
  t.after(() => agent.stop())
  await until('the silent one to be given up', () => log.some((line) => line.includes('did not answer')), 8_000)
  address = plane.address
  await until('a certificate', () => agent.credentials.value !== undefined)
})

test('certificates of 5 s are renewed through restarts of the control plane', async (t) => {
  const stateDir = temporaryStateDir((undo) => t.after(undo))
  const log: string[] = []
  let plane = await startIdentityPlane({ stateDir, svidLifetimeMs: fiveSeconds, log })
  const { port } = plane
  t.after(() => plane.stop())
  const token = await plane.tokens.create('default/web', web, hourMs)
  const agent = startAgent({
    address: () => plane.address,
    trustBundleFile: plane.authority.trustBundleFile,
    token: () => Promise.resolve(token),
    log,
  })
  t.after(() => agent.stop())
  await until('the first certificate', () => agent.had.length === 1)

  let expiredSeen = 0
  const watch = setInterval(() => {
    if (agent.credentials.value === undefined || (agent.notAfterMs ?? 0) <= Date.now()) expiredSeen++
  }, 20)
  t.after(() => clearInterval(watch))
  for (let restart = 0; restart < 2; restart++) {
    const had = agent.had.length
    await plane.stop()
    // away past the renewal at half-life, not past the end
    await until('a failed renewal', () => log.some((line) => line.includes('the control plane did not answer')), 8_000)
    await new Promise((resolve) => setTimeout(resolve, 500))
    assert.equal(agent.had.length, had)
    plane = await startIdentityPlane({ stateDir, svidLifetimeMs: fiveSeconds, log, port })
    await until('the renewal', () => agent.had.length > had)
    log.length = 0
  }
  await until('more renewals', () => agent.had.length >= 5, 10_000)
  assert.equal(expiredSeen, 0)
  const keys = agent.had.map(({ privateKeyPem }) => privateKeyPem)
  assert.equal(new Set(keys).size, keys.length, 'every certificate has a key of its own')
  assert.equal(await whoAmI(plane, agent.credentials.value), `URI:${web}`, 'the server renewed its own, too')
})

test('a proxy whose certificate expired meanwhile joins again with a new token', async (t) => {
  const stateDir = temporaryStateDir((undo) => t.after(undo))
  let plane = await startIdentityPlane({ stateDir, svidLifetimeMs: twoSeconds })
  const { port } = plane
  t.after(() => plane.stop())
  let token = await plane.tokens.create('default/web', web, hourMs)
  const log: string[] = []
  const agent = startAgent({
    address: () => plane.address,
    trustBundleFile: plane.authority.trustBundleFile,
    token: () => Promise.resolve(token),
    log,
  })
  t.after(() => agent.stop())
  await until('the first certificate', () => agent.had.length === 1)
  await plane.stop()
  await until('its end', () => agent.credentials.value === undefined)
  assert.ok(log.some((line) => line.startsWith('error the certificate has expired')))
  plane = await startIdentityPlane({ stateDir, svidLifetimeMs: twoSeconds, port })
  await until('the old token to be refused', () => log.some((line) => line.includes('was used before')), 8_000)
  token = await plane.tokens.create('default/web', web, hourMs)
  await until('a new certificate', () => agent.credentials.value !== undefined, 8_000)
})

test('a proxy whose bundle file stays as it was follows a rotation of the root', async (t) => {
  const stateDir = temporaryStateDir((undo) => t.after(undo))
  const plane = await startIdentityPlane({ stateDir, svidLifetimeMs: fiveSeconds })
  t.after(() => plane.stop())
  const trustBundleFile = join(stateDir, 'copied-when-it-joined.pem')
  copyFileSync(plane.authority.trustBundleFile, trustBundleFile)
  const token = await plane.tokens.create('default/web', web, hourMs)
  const log: string[] = []
  const agent = startAgent({
    address: () => plane.address,
    trustBundleFile,
    token: () => Promise.resolve(token),
    log,
  })
  t.after(() => agent.stop())
  await until('a certificate', () => agent.credentials.value !== undefined)
  const next = async (phase: string, step: () => void): Promise<void> => {
    step()
    agent.renewWithin(0)
    const { rootsPem } = plane.authority.trustBundle
    await until(`the bundle of ${phase}`, () => agent.credentials.value?.rootsPem === rootsPem)
  }
  await next('distribute', () => plane.authority.startRotation('root'))
  await next('switch', () => plane.authority.advanceRotation())
  await next('retire', () => plane.authority.advanceRotation())
  plane.authority.advanceRotation()
  // shows a certificate under the new root to a server that trusts only that, and checks the server's
  const had = agent.had.length
  agent.renewWithin(0)
  await until('one more', () => agent.had.length > had)
  assert.equal(plane.authority.rotation, undefined)
  assert.ok(!log.some((line) => line.includes('cannot get a certificate')), log.join('\n'))
})
