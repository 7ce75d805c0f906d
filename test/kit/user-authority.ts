// A certificate authority as a user has one: made with other means than the mesh's, in two files.
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { certificatesToPem } from '../../src/contracts/identity/pem.ts'
import { buildCertificate } from '../../src/control/authority/certificate-builder.ts'
import type { UpstreamKeyFiles } from '../../src/control/authority/file-upstream.ts'
import { signedBy } from '../../src/control/authority/upstream-signer.ts'

export interface UserAuthority {
  /** The one that signs first, the root last. */
  readonly chain: readonly X509Certificate[]
  readonly key: KeyObject
}

export interface UserAuthorityOptions {
  /** Absent: the root itself signs. */
  readonly below?: UserAuthority
  readonly keyType?: 'ec' | 'rsa'
  readonly uri?: string
  readonly pathLength?: number
  readonly nowMs?: number
  readonly lifetimeMs?: number
}

const dayMs = 86_400_000

export function userAuthority(options: UserAuthorityOptions = {}): UserAuthority {
  const { below, keyType = 'ec', nowMs = Date.now() } = options
  const keys =
    keyType === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-384' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const content = {
    publicKey: keys.publicKey,
    notBeforeMs: nowMs - dayMs,
    notAfterMs: nowMs + (options.lifetimeMs ?? 1000 * dayMs),
    uri: options.uri ?? 'spiffe://mesh.local',
    kind: {
      role: 'signer' as const,
      commonName: below === undefined ? 'Corporate root' : 'Corporate issuing CA',
      trustDomain: 'Example Corp',
      pathLength: options.pathLength ?? (below === undefined ? 2 : 1),
    },
  }
  const [above] = below?.chain ?? []
  const der =
    below === undefined || above === undefined
      ? buildCertificate(content, { ...keys, subjectDer: undefined })
      : signedBy({ certificate: above, privateKey: below.key }, content)
  return { chain: [new X509Certificate(der), ...(below?.chain ?? [])], key: createPrivateKey(pemOf(keys.privateKey)) }
}

export function writeAuthority(folder: string, { chain, key }: UserAuthority): UpstreamKeyFiles {
  const files = { certificateFile: join(folder, 'ca.crt'), keyFile: join(folder, 'ca.key') }
  writeFileSync(files.keyFile, pemOf(key), { mode: 0o600 })
  writeFileSync(files.certificateFile, certificatesToPem(chain.map(({ raw }) => raw)))
  return files
}

/** A program that has the key of `writeAuthority` sign, for --ca-command. */
export function writeSigningProgram(folder: string): string {
  const script = new URL('./signing-program.ts', import.meta.url).pathname
  return writeProgram(folder, `exec '${process.execPath}' '${script}' '${folder}'`)
}

export function writeProgram(folder: string, shell: string): string {
  const file = join(folder, 'sign-intermediate')
  writeFileSync(file, `#!/bin/sh\n${shell}\n`, { mode: 0o755 })
  return file
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
