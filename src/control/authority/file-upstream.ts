// An upstream signer of the user's own: a certificate authority in two files, read again when they change.
import { createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'

import type { Clock } from '../../core/clock.ts'
import { keptUpstream, readAuthorityChain } from './upstream-chain.ts'
import { signIntermediateWith } from './upstream-signer.ts'
import type { UpstreamSigner } from './upstream-signer.ts'

export interface UpstreamKeyFiles {
  /** PEM: the certificate that signs first, its root last. */
  readonly certificateFile: string
  /** PEM: the key of the first. */
  readonly keyFile: string
}

/** Throws when the files are no certificate authority for the trust domain: which one, why, and what to do. */
export function fileUpstream(files: UpstreamKeyFiles, trustDomain: string, clock: Clock): UpstreamSigner {
  const { certificateFile, keyFile } = files
  const chain = readAuthorityChain(certificateFile, trustDomain, clock.nowMs())
  const privateKey = readKey(keyFile)
  const [certificate] = chain
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(
      `the key in ${keyFile} is not that of the first certificate in ${certificateFile}: give the key of that certificate, or put its certificate first`,
    )
  }
  return {
    ...keptUpstream(chain),
    signIntermediate: (publicKey, notAfterMs) =>
      signIntermediateWith({ certificate, privateKey }, { publicKey, notAfterMs, trustDomain }, clock.nowMs()),
  }
}

function readKey(file: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(readFileSync(file, 'utf8'))
  } catch (error) {
    // what OpenSSL says of a key may quote it
    const why = error instanceof Error && 'syscall' in error ? error.message : 'it holds no private key in PEM'
    throw new Error(`cannot read the key of the certificate authority ${file}: ${why}`, { cause: error })
  }
  if (key.asymmetricKeyType === 'ec' || key.asymmetricKeyType === 'rsa') return key
  throw new Error(`the key in ${file} is ${key.asymmetricKeyType}: take one of ECDSA or RSA`)
}
