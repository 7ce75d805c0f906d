import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { fromBinary } from '@bufbuild/protobuf'
import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { SecretSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { ownCertificateSecret, typeUrls } from '../../contracts/xds/names.ts'
import { silentLogger } from '../../core/logger.ts'
import { WatchableValue } from '../../core/watchable.ts'
import { createAuthority, type RotatableAuthority } from '../authority/authority.ts'
import { NodeSecrets } from './node-secrets.ts'
import type { ResourceView } from './resource-view.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const nothing: ResourceView = { revision: '1', wildcardNames: () => [], get: () => undefined }

describe('certificates for data planes that are not Heddle’s', () => {
  let authority: RotatableAuthority
  let secrets: NodeSecrets
  let signed: string[]

  beforeEach(() => {
    const stateDir = mkdtempSync(join(tmpdir(), 'heddle-node-secrets-'))
    const clock = new ManualClock()
    authority = createAuthority({ stateDir, trustDomain: 'mesh.local', clock, svidLifetimeMs: () => 3_600_000 })
    signed = []
    secrets = new NodeSecrets({
      view: new WatchableValue(nothing),
      authority,
      federatedBundles: new WatchableValue([]),
      isWanted: (spiffeId) => spiffeId === web,
      metrics: { signed: (type, proof) => signed.push(`${type} ${proof}`) },
      clock,
      logger: silentLogger,
    })
    return () => {
      secrets.stop()
      rmSync(stateDir, { recursive: true })
    }
  })

  function certificate(): X509Certificate {
    const node = { id: 'envoy-1', kind: 'other' as const, namespace: 'default', name: 'envoy-1', spiffeId: web }
    const resource = secrets.view.value.get(typeUrls.secret, ownCertificateSecret, node)
    const { type } = fromBinary(SecretSchema, resource?.body as Uint8Array)
    if (type.case !== 'tlsCertificate') throw new Error('it is no certificate')
    return new X509Certificate(type.value.certificateChain?.specifier.value as string)
  }

  it('are made once, and counted', () => {
    expect(certificate().serialNumber).toBe(certificate().serialNumber)
    expect(signed).toEqual(['x509 svid'])
  })

  it('are others after a revocation, which is not of them', () => {
    const before = certificate()
    authority.revoke(web, 'lost')
    const after = certificate()
    const isRefused = (one: X509Certificate): boolean =>
      authority.revocations.refusesCertificate(web, one.validFromDate.getTime())
    expect([before, after].map(isRefused)).toEqual([true, false])
    expect(certificate().serialNumber).toBe(after.serialNumber)
  })
})
