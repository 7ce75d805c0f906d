// Comparing secrets in a time that tells nothing of them: by digests, which have the same length whatever was sent.
import { createHash, timingSafeEqual } from 'node:crypto'

/** SHA-256. Of a random token it may be kept: nothing leads back. */
export function secretDigest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

export function sameDigest(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
