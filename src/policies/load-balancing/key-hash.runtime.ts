// Hash of a text: MurmurHash3 (x86, 32 bits) over its UTF-16 units, two of them a block. No bytes are made for it.

export function hashText(text: string, seed: number): number {
  const length = text.length
  let hash = seed | 0
  let at = 0
  for (; at + 1 < length; at += 2) {
    hash ^= scramble(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16))
    hash = (hash << 13) | (hash >>> 19)
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0
  }
  if (at < length) hash ^= scramble(text.charCodeAt(at))
  return finish(hash ^ length)
}

/** Another hash from a hash: uncorrelated with the first for every `salt`. */
export function rehash(hash: number, salt: number): number {
  return finish(hash + Math.imul(salt, 0x9e3779b1))
}

function scramble(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
}

function finish(mixed: number): number {
  let hash = mixed ^ (mixed >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
