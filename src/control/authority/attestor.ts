// The seam of attestation: what a caller shows → the SPIFFE IDs that it may obtain, or why none. Each kind of proof has an attestor of its own.
import type { X509Certificate } from 'node:crypto'

import type { SigningRefusalReason } from '../../contracts/telemetry/metrics.ts'

export interface Evidence {
  /** Who calls, "127.0.0.1:40123": for the audit log, never a proof. */
  readonly peer: string
  /** Of the authorization metadata: a join token; on Kubernetes, a projected service-account token. */
  readonly bearerToken?: string
  /** The handshake verified that the authority signed it and that the caller has its key. */
  readonly certificate?: X509Certificate
  /** SHA-256 of the public key that is to be certified, hexadecimal. Absent: the caller does not ask for a certificate. */
  readonly keyFingerprint?: string
}

export interface Attestation {
  /** Nothing else is signed for the caller. */
  readonly spiffeIds: readonly string[]
  /** Node id, "sidecar~default~web", where the proof is of one proxy. */
  readonly proxy?: string
  /** Where a proof serves a number of times, uses it up by one: called once all else is known to be in order. */
  readonly spend?: () => Promise<AttestationRefusal | undefined>
}

export interface AttestationRefusal {
  /** What refusals are counted by. */
  readonly refused: SigningRefusalReason
  /** For whoever runs the proxy. Never holds the evidence. */
  readonly message: string
}

export interface Attestor {
  /** Undefined: the evidence is not of its kind. Changes nothing: `spend` does. */
  attest(evidence: Evidence): Promise<Attestation | AttestationRefusal | undefined>
}

/** The caller has not shown who it is. */
export class Unattested extends Error {
  readonly reason: SigningRefusalReason

  constructor({ refused, message }: AttestationRefusal) {
    super(message)
    this.name = 'Unattested'
    this.reason = refused
  }
}

/** The first attestor that knows the kind of evidence decides. Throws Unattested. */
export async function attest(attestors: readonly Attestor[], evidence: Evidence): Promise<Attestation> {
  for (const attestor of attestors) {
    const result = await attestor.attest(evidence)
    if (result === undefined) continue
    if ('refused' in result) throw new Unattested(result)
    return result
  }
  if (evidence.bearerToken !== undefined) {
    throw new Unattested({
      refused: 'token_malformed',
      message: 'the bearer token is none that this control plane takes',
    })
  }
  throw new Unattested({
    refused: 'nothing_shown',
    message: 'show a valid X.509-SVID of this trust domain, or a join token: `heddle token join create` makes one',
  })
}
