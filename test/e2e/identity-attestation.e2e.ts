// A proxy can obtain its own workloads' identities and no other: whatever it shows and asks for, over real gRPC and TLS.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'

import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf'
import { Metadata, status } from '@grpc/grpc-js'

import { controlPlaneSpiffeId } from '../../src/contracts/identity/control-plane-identity.ts'
import { CertificateService } from '../../src/contracts/xds/gen/heddle/v1/certificate_pb.ts'
import { grpcMethod, type MethodOf } from '../../src/contracts/xds/grpc-method.ts'
import { joinTokenId } from '../../src/control/authority/join-tokens.ts'
import { createCertificateRequest } from '../../src/proxy/identity/certificate-request.ts'
import { openControlPlaneChannel } from '../../src/proxy/identity/control-plane-channel.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'
import {
  payment,
  startAgent,
  startIdentityPlane,
  temporaryStateDir,
  trustDomain,
  web,
  type IdentityPlane,
  type PlaneOptions,
} from '../kit/identity-plane.ts'
import { createRequest } from '../kit/signing-requests.ts'
import { until } from '../kit/until.ts'

const webProxy = 'sidecar~default~web'
const paymentProxy = 'sidecar~default~payment'
const hourMs = 3_600_000

interface Shown {
  readonly bearer?: string
  readonly credentials?: TlsCredentials
}

interface Answer {
  readonly code: status
  readonly details: string
}

async function start(t: TestContext, options: Partial<PlaneOptions> = {}): Promise<IdentityPlane> {
  const plane = await startIdentityPlane({ stateDir: temporaryStateDir((undo) => t.after(undo)), ...options })
  t.after(() => plane.stop())
  return plane
}

/** Any request with any proof, as no proxy of ours would send it. */
function ask<I extends DescMessage, O extends DescMessage>(
  plane: IdentityPlane,
  method: MethodOf<I, O>,
  request: MessageInitShape<I>,
  { bearer, credentials }: Shown,
): Promise<Answer> {
  const client = openControlPlaneChannel({
    address: plane.address,
    trustBundleFile: plane.authority.trustBundleFile,
    controlPlaneSpiffeId: controlPlaneSpiffeId(trustDomain),
    credentials,
  })
  const metadata = new Metadata()
  if (bearer !== undefined) metadata.set('authorization', `Bearer ${bearer}`)
  const { path, requestSerialize, responseDeserialize } = grpcMethod(method)
  return new Promise<Answer>((resolve) => {
    const message = create(method.input, request)
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, metadata, (error) =>
      resolve(error === null ? { code: status.OK, details: '' } : error),
    )
  }).finally(() => client.close())
}

const { signCertificate, signJwtSvid, getJwtKeys } = CertificateService.method

function sign(plane: IdentityPlane, csrDer: Uint8Array, shown: Shown): Promise<Answer> {
  return ask(plane, signCertificate, { csrDer }, shown)
}

const csrFor = (spiffeId: string): Uint8Array => createCertificateRequest(spiffeId).csrDer

async function join(plane: IdentityPlane, proxy: string, spiffeId: string): Promise<TlsCredentials> {
  const token = await plane.tokens.create(proxy, spiffeId, hourMs)
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

test('whatever a proxy shows, it gets the identity that this is for, and no other', async (t) => {
  const plane = await start(t)
  const token = await plane.tokens.create(webProxy, web, hourMs)
  const credentials = await join(plane, webProxy, web)
  const paymentToken = await plane.tokens.create(paymentProxy, payment, hourMs)
  const own = controlPlaneSpiffeId(trustDomain)
  const notTheirs = [
    payment,
    own,
    `spiffe://${trustDomain}`,
    'spiffe://other.domain/ns/default/sa/web',
    `${web}/`,
    `${web}2`,
    web.replace('sa/web', 'sa/WEB'),
    '',
  ]
  for (const proof of [{ bearer: token }, { credentials }]) {
    for (const spiffeId of notTheirs) {
      const answer = await sign(plane, createRequest({ uris: [spiffeId] }), proof)
      assert.equal(answer.code, status.PERMISSION_DENIED, `${spiffeId}: ${answer.details}`)
      assert.match(answer.details, /but the caller is spiffe:\/\/mesh\.local\/ns\/default\/sa\/web: ask for your own/)
    }
    const malformed = [
      createRequest({ uris: [web, payment] }),
      createRequest({ uris: [payment, web] }),
      createRequest({ uris: [web, web] }),
      createRequest({ uris: [web], dnsNames: ['web.example'] }),
      createRequest({ uris: [web], repeatExtension: true }),
      createRequest({ uris: [] }),
    ]
    for (const csrDer of malformed) {
      const answer = await sign(plane, csrDer, proof)
      assert.equal(answer.code, status.INVALID_ARGUMENT, answer.details)
    }
  }

  // of two proofs the token counts: they are not added up
  const both = { bearer: paymentToken, credentials }
  assert.equal((await sign(plane, csrFor(web), both)).code, status.PERMISSION_DENIED)
  assert.equal((await sign(plane, csrFor(payment), both)).code, status.OK)
  const withUsedUp = await sign(plane, csrFor(web), both)
  assert.equal(withUsedUp.code, status.UNAUTHENTICATED, 'a bad token is not made good by a certificate')

  assert.equal((await sign(plane, csrFor(web), { bearer: token })).code, status.OK, 'the refusals used nothing up')
  assert.equal((await sign(plane, csrFor(web), { credentials })).code, status.OK)
})

test('a token that is malformed, unknown, expired, revoked or used up is refused, with the reason, and counted', async (t) => {
  const plane = await start(t)
  const tokens = {
    expired: await plane.tokens.create(webProxy, web, 0),
    revoked: await plane.tokens.create(webProxy, web, hourMs),
    used: await plane.tokens.create(webProxy, web, hourMs),
  }
  await plane.tokens.revoke(joinTokenId(tokens.revoked))
  assert.equal((await sign(plane, csrFor(web), { bearer: tokens.used })).code, status.OK)
  const unknown = tokens.used.slice(0, -1) + (tokens.used.endsWith('A') ? 'B' : 'A')
  const cases: readonly (readonly [string | undefined, RegExp])[] = [
    [tokens.expired, /has expired: make a new one with `heddle token join create`/],
    [tokens.revoked, /was revoked/],
    [tokens.used, /was used before, by another key/],
    [unknown, /unknown to this control plane/],
    [`${tokens.used}x`, /is malformed/],
    // what Kubernetes projects; nobody here can tell whose it is
    ['eyJhbGciOiJub25lIn0.e30.', /is none that this control plane takes/],
    [undefined, /show a valid X\.509-SVID of this trust domain, or a join token/],
  ]
  for (const [bearer, reason] of cases) {
    const answer = await sign(plane, csrFor(web), bearer === undefined ? {} : { bearer })
    assert.equal(answer.code, status.UNAUTHENTICATED)
    assert.match(answer.details, reason)
  }
  assert.deepEqual(plane.metrics.refusals, {
    token_expired: 1,
    token_revoked: 1,
    token_used: 1,
    token_unknown: 1,
    token_malformed: 2,
    nothing_shown: 1,
  })
  const log = plane.log.join('\n')
  for (const reason of Object.keys(plane.metrics.refusals)) assert.ok(log.includes(`"reason":"${reason}"`), reason)
  for (const token of [...Object.values(tokens), unknown]) assert.ok(!log.includes(token.slice(10, 40)))
})

test('of two who use a token at once, one gets in', async (t) => {
  const plane = await start(t)
  for (let round = 0; round < 5; round++) {
    const bearer = await plane.tokens.create(webProxy, web, hourMs)
    const answers = await Promise.all([1, 2, 3].map(() => sign(plane, csrFor(web), { bearer })))
    const refused = answers.filter(({ code }) => code === status.UNAUTHENTICATED)
    assert.equal(refused.length, 2)
    assert.ok(answers.some(({ code }) => code === status.OK))
    assert.equal(plane.used.length, round + 1)
  }
})

test('what a token has served is known after a restart', async (t) => {
  const stateDir = temporaryStateDir((undo) => t.after(undo))
  const before = await startIdentityPlane({ stateDir })
  const twice = await before.tokens.create(webProxy, web, hourMs, 2)
  const revoked = await before.tokens.create(webProxy, web, hourMs)
  const mine = csrFor(web)
  assert.equal((await sign(before, mine, { bearer: twice })).code, status.OK)
  await before.tokens.revoke(joinTokenId(revoked))
  await before.stop()

  const plane = await start(t, { stateDir })
  assert.equal((await sign(plane, mine, { bearer: twice })).code, status.OK, 'the same key')
  assert.equal((await sign(plane, csrFor(web), { bearer: twice })).code, status.OK)
  assert.match((await sign(plane, csrFor(web), { bearer: twice })).details, /was used before/)
  assert.match((await sign(plane, csrFor(web), { bearer: revoked })).details, /was revoked/)
})

test('a token is for one workload: another of the same service account, or none, makes it worthless', async (t) => {
  const proxies = new Map([
    [webProxy, web],
    ['sidecar~default~web-v2', web],
  ])
  const plane = await start(t, {
    authorizedIdentity: (spiffeId, proxy) =>
      proxy === undefined ? [...proxies.values()].includes(spiffeId) : proxies.get(proxy) === spiffeId,
  })
  const bearer = await plane.tokens.create(webProxy, web, hourMs)
  proxies.delete(webProxy)
  const gone = await sign(plane, csrFor(web), { bearer })
  assert.equal(gone.code, status.PERMISSION_DENIED)
  assert.match(gone.details, /has no workload or gateway sidecar~default~web/)
  proxies.set(webProxy, payment)
  assert.equal((await sign(plane, csrFor(web), { bearer })).code, status.PERMISSION_DENIED)
  assert.equal((await sign(plane, csrFor(payment), { bearer })).code, status.PERMISSION_DENIED)
  proxies.set(webProxy, web)
  assert.equal((await sign(plane, csrFor(web), { bearer })).code, status.OK)
})

test('tokens and their keys are for whoever shows an X.509-SVID, not for a join token', async (t) => {
  const plane = await start(t)
  const credentials = await join(plane, webProxy, web)
  const bearer = await plane.tokens.create(webProxy, web, hourMs)
  const audience = ['billing']
  assert.equal((await ask(plane, signJwtSvid, { audience }, { credentials })).code, status.OK)
  for (const shown of [{ bearer }, { bearer, credentials }, {}]) {
    assert.equal((await ask(plane, signJwtSvid, { audience }, shown)).code, status.UNAUTHENTICATED)
    assert.equal((await ask(plane, getJwtKeys, {}, shown)).code, status.UNAUTHENTICATED)
  }
  assert.equal((await sign(plane, csrFor(web), { bearer })).code, status.OK, 'nothing was used up')
})
