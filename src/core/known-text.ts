// Short texts that come again and again, such as names of headers: one string for all of them costs nothing new, and is found in maps without
// its hash being taken once more.

const slots = 512
const known: (string | undefined)[] = Array.from({ length: slots }, () => undefined)
const longest = 64

/** `text.substring(start, end)`. */
export function knownText(text: string, start: number, end: number): string {
  const length = end - start
  if (length > longest) return text.substring(start, end)
  let hash = length
  for (let at = start; at < end; at++) hash = (hash * 31 + text.charCodeAt(at)) | 0
  const slot = (hash ^ (hash >>> 9)) & (slots - 1)
  const found = known[slot]
  if (found !== undefined && found.length === length && isAt(text, start, found)) return found
  // Copied: a slice would keep the text that it was cut from.
  const copy = Buffer.from(text.substring(start, end), 'latin1').toString('latin1')
  known[slot] = copy
  return copy
}

function isAt(text: string, start: number, part: string): boolean {
  for (let i = 0; i < part.length; i++) if (text.charCodeAt(start + i) !== part.charCodeAt(i)) return false
  return true
}
