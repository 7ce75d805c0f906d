// The upstream signer that needs nothing installed: a root of our own, and an intermediate below it that is replaced before it ends.
import { X509Certificate, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { dirname } from 'node:path'

import type { Clock } from '../../core/clock.ts'
import { buildCertificate, subjectOf } from './certificate-builder.ts'
import type { CertificateContent } from './certificate-builder.ts'
import { createSigner, readSigner, replaceSigner } from './signer-files.ts'
import type { Signer } from './signer-files.ts'
import type { SigningCertificate, UpstreamSigner } from './upstream-signer.ts'

export interface EmbeddedSignerOptions {
  readonly rootFile: string
  readonly intermediateFile: string
  readonly trustDomain: string
  readonly clock: Clock
}

const dayMs = 86_400_000
const rootLifetimeMs = 3650 * dayMs
const intermediateLifetimeMs = 365 * dayMs
/** Peers whose clocks are this much behind still accept a certificate at once. */
export const backDatedMs = 60_000

export class EmbeddedSigner implements UpstreamSigner {
  readonly #options: EmbeddedSignerOptions
  readonly #root: Signer
  #intermediate: Signer | undefined

  /** Creates the root where there is none. Throws when what is there cannot be used, with the way out. */
  constructor(options: EmbeddedSignerOptions) {
    const { rootFile, trustDomain, clock } = options
    this.#options = options
    this.#root = readSigner(rootFile) ?? createSigner(rootFile, newRoot(trustDomain, clock.nowMs()))
    checkRoot(rootFile, this.#root.certificate, trustDomain, clock.nowMs())
  }

  get root(): X509Certificate {
    return this.#root.certificate
  }

  /** Makes the next intermediate when a third of the present one's life is left; SVIDs carry theirs with them, so nobody need know. */
  signing(): SigningCertificate {
    const { intermediateFile, clock } = this.#options
    this.#intermediate ??= readSigner(intermediateFile) ?? createSigner(intermediateFile, this.#newIntermediate())
    const { certificate } = this.#intermediate
    const ageing = clock.nowMs() >= certificate.validToDate.getTime() - intermediateLifetimeMs / 3
    // an intermediate that already lives as long as the root cannot be bettered
    const renewable = certificate.validToDate.getTime() < this.root.validToDate.getTime()
    if ((ageing && renewable) || !certificate.verify(this.root.publicKey)) this.replaceIntermediate()
    return { ...this.#intermediate, issuers: [] }
  }

  replaceIntermediate(): void {
    this.#intermediate = this.#newIntermediate()
    replaceSigner(this.#options.intermediateFile, this.#intermediate)
  }

  #newIntermediate(): Signer {
    const { publicKey, privateKey } = newKeyPair()
    const { trustDomain, clock } = this.#options
    const nowMs = clock.nowMs()
    const der = signedBy(this.#root, {
      publicKey,
      notBeforeMs: Math.max(nowMs - backDatedMs, this.root.validFromDate.getTime()),
      notAfterMs: Math.min(nowMs + intermediateLifetimeMs, this.root.validToDate.getTime()),
      uri: `spiffe://${trustDomain}`,
      kind: { role: 'signer', commonName: 'Heddle intermediate', trustDomain, pathLength: 0 },
    })
    return { privateKey, certificate: new X509Certificate(der) }
  }
}

export function signedBy(signer: Signer, content: CertificateContent): Buffer {
  return buildCertificate(content, {
    privateKey: signer.privateKey,
    publicKey: createPublicKey(signer.privateKey),
    subjectDer: subjectOf(signer.certificate.raw),
  })
}

export function newKeyPair(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function newRoot(trustDomain: string, nowMs: number): Signer {
  const { publicKey, privateKey } = newKeyPair()
  const der = buildCertificate(
    {
      publicKey,
      notBeforeMs: nowMs - backDatedMs,
      notAfterMs: nowMs + rootLifetimeMs,
      uri: `spiffe://${trustDomain}`,
      kind: { role: 'signer', commonName: 'Heddle root', trustDomain, pathLength: 1 },
    },
    { privateKey, publicKey, subjectDer: undefined },
  )
  return { privateKey, certificate: new X509Certificate(der) }
}

function checkRoot(file: string, root: X509Certificate, trustDomain: string, nowMs: number): void {
  const wayOut = `remove the folder ${dirname(file)} to begin anew; every proxy must then join again`
  if (root.subjectAltName !== `URI:spiffe://${trustDomain}`) {
    throw new Error(
      `the certificate authority in ${file} is for ${root.subjectAltName ?? 'no trust domain'}, not for trust domain "${trustDomain}": ` +
        `set the trust domain back, or ${wayOut}`,
    )
  }
  if (nowMs >= root.validToDate.getTime()) throw new Error(`the root certificate in ${file} has expired: ${wayOut}`)
}
