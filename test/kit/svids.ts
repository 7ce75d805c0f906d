// X.509-SVIDs by the embedded authority, for tests that speak TLS.
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createAuthority } from '../../src/control/authority/authority.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createCertificateRequest } from '../../src/proxy/identity/certificate-request.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'

export interface TestAuthority {
  issue(spiffeId: string, lifetimeMs?: number): TlsCredentials
  remove(): void
}

export function testAuthority(trustDomain = 'mesh.local'): TestAuthority {
  const stateDir = mkdtempSync(join(tmpdir(), 'heddle-authority-'))
  let svidLifetimeMs = 3_600_000
  const authority = createAuthority({ stateDir, trustDomain, clock: systemClock, svidLifetimeMs: () => svidLifetimeMs })
  return {
    issue(spiffeId, lifetimeMs = 3_600_000) {
      svidLifetimeMs = lifetimeMs
      const { privateKeyPem, csrDer } = createCertificateRequest(spiffeId)
      const { chainDer } = authority.sign(csrDer, spiffeId)
      const chain = chainDer.map((der) => new X509Certificate(der).toString())
      return { certificateChainPem: chain.join(''), privateKeyPem, rootsPem: authority.trustBundle.rootsPem }
    },
    remove: () => rmSync(stateDir, { recursive: true, force: true }),
  }
}
