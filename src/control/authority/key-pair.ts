// Keys of the authority: ECDSA P-256.
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export function newKeyPair(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}
