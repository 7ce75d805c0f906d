// The keys of JWT-SVIDs over restarts, in <stateDir>/ca/jwt-keys.json: one file, so that no crash leaves half a step.
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { BundleKey } from '../../contracts/identity/jwt-svid.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { jwtKey, type JwtKey } from './jwt-svid.ts'
import { replaceFile } from './signer-files.ts'

/** All times are milliseconds since the Unix epoch. */
export interface JwtKeyState {
  readonly signing: { readonly key: JwtKey; readonly sinceMs: number }
  /** Verifies, and does not sign yet. */
  readonly next?: { readonly key: JwtKey; readonly signsFromMs: number }
  /** Of keys that sign no more, only what verifies; until their last token has ended. */
  readonly retiring: readonly { readonly key: BundleKey; readonly untilMs: number }[]
}

interface StoredState {
  readonly signing: { readonly privateKeyPem: string; readonly sinceMs: number }
  readonly next?: { readonly privateKeyPem: string; readonly signsFromMs: number }
  readonly retiring: JwtKeyState['retiring']
}

/** Undefined when there is none. Throws, with the way out, when what is there cannot be used. */
export function readJwtKeys(file: string, nowMs: number): JwtKeyState | undefined {
  const text = readPrivate(file)
  if (text === undefined) return readSingleKey(file, nowMs)
  return usable(file, () => {
    const { signing, next, retiring } = JSON.parse(text) as StoredState
    return {
      signing: { key: jwtKey(createPrivateKey(signing.privateKeyPem)), sinceMs: signing.sinceMs },
      ...(next && { next: { key: jwtKey(createPrivateKey(next.privateKeyPem)), signsFromMs: next.signsFromMs } }),
      retiring,
    }
  })
}

export function writeJwtKeys(file: string, { signing, next, retiring }: JwtKeyState): void {
  const stored: StoredState = {
    signing: { privateKeyPem: pemOf(signing.key.privateKey), sinceMs: signing.sinceMs },
    ...(next && { next: { privateKeyPem: pemOf(next.key.privateKey), signsFromMs: next.signsFromMs } }),
    retiring,
  }
  replaceFile(file, `${JSON.stringify(stored, null, 2)}\n`)
  rmSync(singleKeyFile(file), { force: true })
}

/** As versions before kept it: one key, for good. */
function readSingleKey(file: string, nowMs: number): JwtKeyState | undefined {
  const single = singleKeyFile(file)
  const pem = readPrivate(single)
  if (pem === undefined) return undefined
  return usable(single, () => ({ signing: { key: jwtKey(createPrivateKey(pem)), sinceMs: nowMs }, retiring: [] }))
}

function singleKeyFile(file: string): string {
  return join(dirname(file), 'jwt-key.pem')
}

function readPrivate(file: string): string | undefined {
  try {
    const mode = statSync(file).mode & 0o777
    return usable(file, () => {
      if ((mode & 0o077) !== 0) throw new Error(`others may read it (mode ${mode.toString(8)})`)
      return readFileSync(file, 'utf8')
    })
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function usable<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    // not the parser's own words: they may quote what they could not read
    const reason = error instanceof SyntaxError ? 'it is not what was written' : errorMessage(error)
    throw new Error(`cannot use the keys in ${file}: ${reason}; remove it, and the next start makes others`, {
      cause: error,
    })
  }
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
