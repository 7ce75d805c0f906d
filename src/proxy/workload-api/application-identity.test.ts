import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, describe, expect, it } from 'vitest'

import { recordingLogger } from '../../../test/kit/identity-plane.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { CarelessAuthority } from '../../../test/kit/svid-with-faults.ts'
import { createAuthority } from '../../control/authority/authority.ts'
import { createRandom } from '../../core/random.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { CertificateProof } from '../identity/identity-agent.ts'
import type { TlsCredentials } from '../io/connection.ts'
import { createApplicationIdentity, type ApplicationIdentity } from './application-identity.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const hourMs = 3_600_000

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

describe('the identity of an application', () => {
  const sidecar = new CarelessAuthority()
  let clock: ManualClock
  let credentials: WatchableValue<TlsCredentials | undefined>
  let proofs: CertificateProof[]
  let application: ApplicationIdentity

  beforeEach(() => {
    clock = new ManualClock()
    credentials = new WatchableValue<TlsCredentials | undefined>(sidecar.issue({ uri: web }))
    proofs = []
    const stateDir = mkdtempSync(join(tmpdir(), 'heddle-application-'))
    const authority = createAuthority({ stateDir, trustDomain: 'mesh.local', clock, svidLifetimeMs: () => hourMs })
    application = createApplicationIdentity({
      spiffeId: web,
      credentials,
      sign: (csrDer, proof) => {
        proofs.push(proof)
        return Promise.resolve(authority.sign(csrDer, web))
      },
      clock,
      random: createRandom(1),
      logger: recordingLogger([]),
    })
    return () => {
      application.stop()
      rmSync(stateDir, { recursive: true })
    }
  })

  it('is asked for once somebody wants it', async () => {
    await settle()
    expect(proofs).toEqual([])
    expect(application.use().value).toBeUndefined()
    application.use()
    await settle()
    expect(proofs).toEqual([{ kind: 'svid', credentials: credentials.value }])
    expect(application.use().value).toBeDefined()
  })

  it('has a key that is not its sidecar’s, another one after each renewal', async () => {
    const own = application.use()
    const keys = new Set([credentials.value?.privateKeyPem])
    own.subscribe((known) => keys.add(known?.privateKeyPem))
    await settle()
    clock.advance(hourMs * 0.56)
    await settle()
    expect(proofs).toHaveLength(2)
    expect(keys.size).toBe(3)
  })

  it('is renewed with its sidecar, by the newest certificate', async () => {
    application.use()
    await settle()
    credentials.set(sidecar.issue({ uri: web }))
    clock.advance(1)
    await settle()
    expect(proofs).toHaveLength(2)
    expect(proofs[1]).toEqual({ kind: 'svid', credentials: credentials.value })
  })

  it('waits for a sidecar that has no certificate, and asks nobody meanwhile', async () => {
    const issued = credentials.value
    credentials.set(undefined)
    const own = application.use()
    await settle()
    expect(proofs).toEqual([])
    credentials.set(issued)
    clock.advance(1)
    await settle()
    expect(own.value).toBeDefined()
  })
})
