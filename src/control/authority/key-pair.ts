// Keys of the authority: ECDSA P-256.
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

export function newKeyPair(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}
