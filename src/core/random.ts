// All chance goes through a Random: tests, explain and simulations give a seeded one.
import { randomBytes } from 'node:crypto'

export interface Random {
  /** Uniform in [0, 1). Not for secrets. */
  next(): number
  /** Uniform integer in [0, below). */
  int(below: number): number
}

/** xorshift32: small and fast; the same seed gives the same sequence. Not for secrets. */
export function createRandom(seed: number): Random {
  // signed, which the runtime keeps without an allocation
  let state = seed | 0 || 0x9e3779b9 | 0
  const word = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  return {
    next: () => word() / 4294967296,
    int: (below) => Math.floor((word() / 4294967296) * below),
  }
}

/** Seeded from the system. */
export function createSystemRandom(): Random {
  return createRandom(randomBytes(4).readUInt32LE())
}

/** Unguessable text of `bytes` random bytes, base64url: for tokens and nonces. */
export function randomToken(bytes = 32): string {
  return randomBytes(bytes).toString('base64url')
}

const digits = Buffer.from('0123456789abcdef')
const text = Buffer.alloc(64)

/** So many words of eight hexadecimal digits, eight at the most. Not for secrets. */
export function randomHexadecimal(random: Random, words: number): string {
  let length = 0
  for (let i = 0; i < words; i++) {
    const word = random.int(0x1_0000_0000)
    // a number of so many bits is slow to write in another base than ten
    for (let shift = 28; shift >= 0; shift -= 4) text[length++] = digits[(word >>> shift) & 15] as number
  }
  return text.toString('latin1', 0, length)
}
