// The mesh's certificate authority: a root that signs intermediates, an intermediate that signs X.509-SVIDs. Keys lie in <stateDir>/ca.
import { X509Certificate, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { controlPlaneSpiffeId } from '../../contracts/identity/control-plane-identity.ts'
import { certificatesToPem } from '../../contracts/identity/pem.ts'
import { parseSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import type { TrustBundle, X509Svid } from '../../contracts/identity/svid.ts'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import type { Clock } from '../../core/clock.ts'
import { buildCertificate, subjectOf } from './certificate-builder.ts'
import type { CertificateContent } from './certificate-builder.ts'
import { createSigner, readSigner, replaceSigner } from './signer-files.ts'
import type { Signer } from './signer-files.ts'
import { SigningRefused, parseSigningRequest } from './signing-request.ts'

export interface AuthorityOptions {
  readonly stateDir: string
  readonly trustDomain: string
  readonly clock: Clock
  /** Asked at each signature, so that a changed setting holds from the next certificate on. */
  readonly svidLifetimeMs: () => number
}

export interface SignedSvid {
  /** Leaf first, then the intermediate. */
  readonly chainDer: readonly Uint8Array[]
  /** Roots of the trust domain. */
  readonly bundleDer: readonly Uint8Array[]
  readonly notAfterMs: number
}

export interface Authority {
  readonly trustDomain: string
  readonly trustBundle: TrustBundle
  /** What proxies are told as `trustBundleFile`; PEM. */
  readonly trustBundleFile: string
  /**
   * Signs a request of whoever was found to be `spiffeId`. Throws SigningRefused when the request is malformed, or asks for another
   * identity.
   */
  sign(csrDer: Uint8Array, spiffeId: string): SignedSvid
  /** A fresh key and certificate for the control plane itself. */
  issueServerSvid(): X509Svid
}

const dayMs = 86_400_000
const rootLifetimeMs = 3650 * dayMs
const intermediateLifetimeMs = 365 * dayMs
/** Peers whose clocks are this much behind still accept a certificate at once. */
const backDatedMs = 60_000

/** Creates the root and the intermediate where there are none. Throws when what is there cannot be used, with the way out. */
export function createAuthority(options: AuthorityOptions): Authority {
  return new EmbeddedAuthority(options)
}

class EmbeddedAuthority implements Authority {
  readonly trustDomain: string
  readonly trustBundle: TrustBundle
  readonly trustBundleFile: string
  readonly #options: AuthorityOptions
  readonly #root: Signer
  readonly #intermediateFile: string
  #intermediate: Signer

  constructor(options: AuthorityOptions) {
    const { trustDomain, clock } = options
    this.#options = options
    this.trustDomain = trustDomain
    const folder = join(options.stateDir, 'ca')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
    this.#intermediateFile = join(folder, 'intermediate.pem')
    this.trustBundleFile = join(folder, 'trust-bundle.pem')

    const rootFile = join(folder, 'root.pem')
    this.#root = readSigner(rootFile) ?? createSigner(rootFile, newRoot(trustDomain, clock.nowMs()))
    checkRoot(rootFile, this.#root.certificate, trustDomain, clock.nowMs())
    this.trustBundle = { trustDomain, rootsPem: certificatesToPem([this.#root.certificate.raw]) }
    writeFileAtomic(this.trustBundleFile, this.trustBundle.rootsPem)

    this.#intermediate =
      readSigner(this.#intermediateFile) ?? createSigner(this.#intermediateFile, this.#newIntermediate())
    this.#currentIntermediate()
  }

  sign(csrDer: Uint8Array, spiffeId: string): SignedSvid {
    const request = parseSigningRequest(csrDer)
    if (request.spiffeId !== spiffeId) {
      throw new SigningRefused(
        'denied',
        `the certificate request is for ${JSON.stringify(request.spiffeId)}, but the caller is ${spiffeId}: ask for your own identity`,
      )
    }
    // whoever was granted an identity before the trust domain was changed
    if (parseSpiffeId(spiffeId)?.trustDomain !== this.trustDomain) {
      throw new SigningRefused(
        'denied',
        `${spiffeId} is no workload of trust domain "${this.trustDomain}": join again with a new token`,
      )
    }
    return this.#issue(request.publicKey, spiffeId)
  }

  issueServerSvid(): X509Svid {
    const { publicKey, privateKey } = newKeyPair()
    const spiffeId = controlPlaneSpiffeId(this.trustDomain)
    const { chainDer } = this.#issue(publicKey, spiffeId)
    const leaf = new X509Certificate(chainDer[0] as Uint8Array)
    return {
      spiffeId,
      certificateChainPem: certificatesToPem(chainDer),
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      notBeforeMs: leaf.validFromDate.getTime(),
      notAfterMs: leaf.validToDate.getTime(),
    }
  }

  #issue(publicKey: KeyObject, spiffeId: string): SignedSvid {
    const intermediate = this.#currentIntermediate()
    const nowMs = this.#options.clock.nowMs()
    const der = signedBy(intermediate, {
      publicKey,
      // a chain is only valid where all of it is
      notBeforeMs: Math.max(nowMs - backDatedMs, intermediate.certificate.validFromDate.getTime()),
      notAfterMs: Math.min(nowMs + this.#options.svidLifetimeMs(), intermediate.certificate.validToDate.getTime()),
      uri: spiffeId,
      kind: { role: 'leaf' },
    })
    return {
      chainDer: [der, intermediate.certificate.raw],
      bundleDer: [this.#root.certificate.raw],
      notAfterMs: new X509Certificate(der).validToDate.getTime(),
    }
  }

  /** Makes the next intermediate when a third of the present one's life is left; SVIDs carry theirs with them, so nobody notices. */
  #currentIntermediate(): Signer {
    const { certificate } = this.#intermediate
    const root = this.#root.certificate
    const ageing = this.#options.clock.nowMs() >= certificate.validToDate.getTime() - intermediateLifetimeMs / 3
    // an intermediate that already lives as long as the root cannot be bettered
    const renewable = certificate.validToDate.getTime() < root.validToDate.getTime()
    if ((ageing && renewable) || !certificate.verify(root.publicKey)) {
      this.#intermediate = this.#newIntermediate()
      replaceSigner(this.#intermediateFile, this.#intermediate)
    }
    return this.#intermediate
  }

  #newIntermediate(): Signer {
    const { publicKey, privateKey } = newKeyPair()
    const { trustDomain, clock } = this.#options
    const nowMs = clock.nowMs()
    const der = signedBy(this.#root, {
      publicKey,
      notBeforeMs: Math.max(nowMs - backDatedMs, this.#root.certificate.validFromDate.getTime()),
      notAfterMs: Math.min(nowMs + intermediateLifetimeMs, this.#root.certificate.validToDate.getTime()),
      uri: `spiffe://${trustDomain}`,
      kind: { role: 'signer', commonName: 'Heddle intermediate', trustDomain, pathLength: 0 },
    })
    return { privateKey, certificate: new X509Certificate(der) }
  }
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
  const wayOut = `remove the folder ${join(file, '..')} to begin anew; every proxy must then join again`
  if (root.subjectAltName !== `URI:spiffe://${trustDomain}`) {
    throw new Error(
      `the certificate authority in ${file} is for ${root.subjectAltName ?? 'no trust domain'}, not for trust domain "${trustDomain}": ` +
        `set the trust domain back, or ${wayOut}`,
    )
  }
  if (nowMs >= root.validToDate.getTime()) throw new Error(`the root certificate in ${file} has expired: ${wayOut}`)
}

function signedBy(signer: Signer, content: CertificateContent): Buffer {
  return buildCertificate(content, {
    privateKey: signer.privateKey,
    publicKey: createPublicKey(signer.privateKey),
    subjectDer: subjectOf(signer.certificate.raw),
  })
}

function newKeyPair(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}
