import { describe, expect, it } from 'vitest'

import type { AuthorityCertificate, AuthorityStatus } from '../../contracts/control-api.ts'
import { silentLogger } from '../../core/logger.ts'
import { ControlPlaneMetrics } from './control-plane-metrics.ts'

function certificate(role: 'root' | 'intermediate', use: AuthorityCertificate['use'], notAfterMs: number) {
  return { role, use, serialNumber: '01', notBeforeMs: 0, notAfterMs }
}

const quiet = { certificates: [], revocations: [] }

function values(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

describe('the metrics of the control plane', () => {
  it('tell when each certificate of the authority ends', () => {
    const metrics = new ControlPlaneMetrics(silentLogger)
    const certificates = [
      certificate('root', 'signing', 9_000_500),
      certificate('root', 'retiring', 8_000_000),
      certificate('intermediate', 'signing', 7_000_000),
      certificate('intermediate', 'signing', 6_000_000),
    ]
    const text = metrics.render({ authority: { certificates, revocations: [] }, proxiesConnected: 0 })
    expect(text).toContain('# TYPE heddle_authority_certificate_expiry_timestamp_seconds gauge')
    expect(values(text).filter((line) => line.includes('expiry'))).toEqual([
      'heddle_authority_certificate_expiry_timestamp_seconds{role="root",use="signing"} 9000.5',
      'heddle_authority_certificate_expiry_timestamp_seconds{role="root",use="retiring"} 8000',
      'heddle_authority_certificate_expiry_timestamp_seconds{role="intermediate",use="signing"} 6000',
    ])
  })

  it('tell of a rotation while it is under way', () => {
    const metrics = new ControlPlaneMetrics(silentLogger)
    const rotation: NonNullable<AuthorityStatus['rotation']> = {
      kind: 'root',
      phase: 'switch',
      startedAtMs: 1_000,
      phaseSinceMs: 5_000,
      phaseEndsByMs: 9_000,
      waitingFor: ['a', 'b'],
    }
    expect(values(metrics.render({ authority: { ...quiet, rotation }, proxiesConnected: 0 })).slice(0, 2)).toEqual([
      'heddle_authority_rotation_phase_start_timestamp_seconds{kind="root",phase="switch"} 5',
      'heddle_authority_rotation_waiting_proxies{kind="root",phase="switch"} 2',
    ])
    expect(metrics.render({ authority: quiet, proxiesConnected: 0 })).not.toContain('rotation')
  })

  it('count what was signed and refused, what is revoked, and who is connected', () => {
    const metrics = new ControlPlaneMetrics(silentLogger)
    metrics.signed('x509', 'token')
    metrics.signed('x509', 'token')
    metrics.signed('jwt', 'svid')
    expect(metrics.refused('token_used')).toBe(1)
    expect(metrics.refusals).toEqual({ token_used: 1 })
    const revocation = { spiffeId: '', reason: '', notBeforeMs: 0, revokedAtMs: 0, endsAtMs: 0, waitingFor: [] }
    const text = metrics.render({ authority: { ...quiet, revocations: [revocation] }, proxiesConnected: 3 })
    expect(values(text)).toEqual([
      'heddle_svids_issued_total{type="x509",proof="token"} 2',
      'heddle_svids_issued_total{type="jwt",proof="svid"} 1',
      'heddle_signing_requests_refused_total{reason="token_used"} 1',
      'heddle_revocations 1',
      'heddle_proxies_connected 3',
    ])
  })
})
