// JWT-SVIDs at the control plane: whoever shows an X.509-SVID gets tokens of that identity, over real gRPC and TLS.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { status } from '@grpc/grpc-js'

import { controlPlaneSpiffeId } from '../../src/contracts/identity/control-plane-identity.ts'
import { verifyJwtSvid } from '../../src/contracts/identity/jwt-svid.ts'
import { certificatesToPem } from '../../src/contracts/identity/pem.ts'
import { systemClock } from '../../src/core/clock.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { createCertificateRequest } from '../../src/proxy/identity/certificate-request.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'
import { createJwtClient, type JwtClient } from '../../src/proxy/workload-api/jwt-client.ts'
import {
  payment,
  startIdentityPlane,
  temporaryStateDir,
  trustDomain,
  web,
  type IdentityPlane,
} from '../kit/identity-plane.ts'

let plane: IdentityPlane
const removed = new Set<string>()
const undo: (() => void)[] = []
const stateDir = temporaryStateDir((one) => undo.push(one))

before(async () => {
  plane = await startIdentityPlane({ stateDir, authorizedIdentity: (spiffeId) => !removed.has(spiffeId) })
})
after(async () => {
  await plane.stop()
  for (const one of undo) one()
})

function clientOf(credentials: TlsCredentials): JwtClient {
  return createJwtClient({
    address: plane.address,
    controlPlaneSpiffeId: controlPlaneSpiffeId(trustDomain),
    trustBundleFile: plane.authority.trustBundleFile,
    clock: systemClock,
    credentials: new WatchableValue<TlsCredentials | undefined>(credentials),
  })
}

function svidOf(spiffeId: string): TlsCredentials {
  const { csrDer, privateKeyPem } = createCertificateRequest(spiffeId)
  const { chainDer } = plane.authority.sign(csrDer, spiffeId)
  const { rootsPem } = plane.authority.trustBundle
  return { certificateChainPem: certificatesToPem(chainDer), privateKeyPem, rootsPem }
}

test('a token names the identity of the certificate that was shown', async () => {
  for (const spiffeId of [web, payment]) {
    const client = clientOf(svidOf(spiffeId))
    const token = await client.sign(['billing'])
    const bundle = { keys: (await client.keys()).own }
    const { svid } = verifyJwtSvid(token, { bundle, trustDomain, audience: 'billing', nowMs: Date.now() })
    assert.equal(svid?.spiffeId, spiffeId)
    assert.ok(svid.expiresAtMs - svid.issuedAtMs <= 300_000)
  }
})

test('who shows no certificate gets nothing, nor does an identity that the mesh no longer has', async () => {
  const { certificateChainPem: _, ...shown } = svidOf(web)
  const nobody = clientOf({ ...shown, certificateChainPem: '', privateKeyPem: '' })
  await assert.rejects(nobody.sign(['billing']), { code: status.UNAVAILABLE, message: /show a valid X\.509-SVID/ })
  await assert.rejects(nobody.keys(), { message: /show a valid X\.509-SVID/ })
  const leaving = clientOf(svidOf(web))
  removed.add(web)
  await assert.rejects(leaving.sign(['billing']), { code: status.PERMISSION_DENIED })
  await assert.rejects(leaving.keys(), { code: status.PERMISSION_DENIED })
})

test('no token is in a log', async () => {
  const token = await clientOf(svidOf(payment)).sign(['billing'])
  assert.ok(!plane.log.join('\n').includes(token.slice(0, 60)))
})
