// Files of the authority: a signing certificate and its key are one, so that no crash can leave one without the other; all survive a loss of power.
import { X509Certificate, createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

import { certificatesFromPem, certificatesToPem } from '../../contracts/identity/pem.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { randomToken } from '../../core/random.ts'

export interface Signer {
  readonly privateKey: KeyObject
  readonly certificate: X509Certificate
}

/** Undefined when there is no such file. Throws with the file's name and the way out when it cannot be trusted or read. */
export function readSigner(file: string): Signer | undefined {
  let pem: string
  try {
    const mode = statSync(file).mode & 0o777
    if ((mode & 0o077) !== 0) {
      throw new Error(
        `others may read it (mode ${mode.toString(8)}): run \`chmod 600 ${file}\` if you trust what it holds`,
      )
    }
    pem = readFileSync(file, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw new Error(`cannot use the signing key ${file}: ${errorMessage(error)}`, { cause: error })
  }
  try {
    const [der] = certificatesFromPem(pem)
    if (der === undefined) throw new Error('it holds no certificate')
    const signer = { privateKey: createPrivateKey(pem), certificate: new X509Certificate(der) }
    if (!signer.certificate.checkPrivateKey(signer.privateKey)) throw new Error('its key and certificate do not fit')
    return signer
  } catch (error) {
    throw new Error(
      `cannot use the signing key ${file}: ${errorMessage(error)}; restore it from a backup, or remove the folder ${dirname(file)} ` +
        'to begin a new trust domain, which every proxy must join anew',
      { cause: error },
    )
  }
}

/** Writes the file unless there already is one; returns whichever is there afterwards. */
export function createSigner(file: string, signer: Signer): Signer {
  const temporary = writeTemporary(file, signerPem(signer))
  try {
    linkSync(temporary, file)
    syncFolder(file)
    return signer
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    return readSigner(file) as Signer
  } finally {
    rmSync(temporary)
  }
}

export function replaceSigner(file: string, signer: Signer): void {
  replaceFile(file, signerPem(signer))
}

/** A reader, or a loss of power, sees the old or the new content. For files of the authority that nothing else could tell again; 0600. */
export function replaceFile(file: string, content: string): void {
  moveFile(writeTemporary(file, content), file)
}

/** In one folder; for good once this returns. */
export function moveFile(from: string, to: string): void {
  renameSync(from, to)
  syncFolder(to)
}

function signerPem(signer: Signer): string {
  return (
    signer.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() + certificatesToPem([signer.certificate.raw])
  )
}

function writeTemporary(file: string, content: string): string {
  const temporary = `${file}.${randomToken(6)}.new`
  const fd = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(fd, content)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  return temporary
}

function syncFolder(file: string): void {
  const fd = openSync(dirname(file), 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
