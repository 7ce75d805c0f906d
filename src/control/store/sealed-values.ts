// The values of a store as they lie on disk: encrypted, each bound to the place it was written to. The key is a file beside the database.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

import { errorCode } from '../../core/errors.ts'

const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16
/** Stands in front of what AES-256-GCM has made: nonce, text, tag, in base64url. */
const envelope = '1.'

export interface ValueSeal {
  /** `place`: where it is written to, and can be read from alone. */
  seal(place: string, value: string): string
  /** Throws an Error when it was changed, moved, or sealed with another key. */
  open(place: string, sealed: string): string
}

export function createValueSeal(key: Uint8Array): ValueSeal {
  return {
    seal(place, value) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place))
      const text = Buffer.concat([nonce, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return envelope + text.toString('base64url')
    },
    open(place, sealed) {
      if (!sealed.startsWith(envelope)) throw new Error('it is not sealed in a way that this Heddle knows')
      const bytes = Buffer.from(sealed.slice(envelope.length), 'base64url')
      const end = bytes.length - tagBytes
      if (end < nonceBytes) throw new Error('it is cut short')
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(end))
      return decipher.update(bytes.subarray(nonceBytes, end), undefined, 'utf8') + decipher.final('utf8')
    },
  }
}

/** The key in `file`. Undefined: there is none, or no whole one. */
export function readSealKey(file: string): Buffer | undefined {
  try {
    const key = readFileSync(file)
    return key.length === keyBytes ? key : undefined
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** 0600, and on the disk before anything that needs it. */
export function createSealKey(file: string): Buffer {
  const key = randomBytes(keyBytes)
  const fresh = `${file}.new`
  const descriptor = openSync(fresh, 'w', 0o600)
  writeSync(descriptor, key)
  fsyncSync(descriptor)
  closeSync(descriptor)
  renameSync(fresh, file)
  const folder = openSync(dirname(file), 'r')
  fsyncSync(folder)
  closeSync(folder)
  return key
}
