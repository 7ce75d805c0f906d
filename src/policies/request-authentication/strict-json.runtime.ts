// JSON as tokens and key sets may hold it: no member twice and no deep nesting, for readers disagree about those.

const maxDepth = 32

/** Throws an Error that shows nothing of the text. */
export function parseStrictJson(text: string): unknown {
  checkMembers(text)
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new Error('not valid JSON')
  }
}

/** Finds what JSON.parse lets pass; text that is not JSON it leaves to that. */
function checkMembers(text: string): void {
  // Names seen in each object around; undefined: an array
  const open: (Set<string> | undefined)[] = []
  let atName = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === '"') {
      const end = endOfString(text, at)
      const names = open.at(-1)
      if (atName && names !== undefined) addName(names, text.slice(at, end + 1))
      atName = false
      at = end
    } else if (char === '{' || char === '[') {
      if (open.length === maxDepth) throw new Error('JSON is nested too deeply')
      open.push(char === '{' ? new Set() : undefined)
      atName = char === '{'
    } else if (char === '}' || char === ']') {
      open.pop()
    } else if (char === ',') {
      atName = open.at(-1) !== undefined
    }
  }
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at
  }
  throw new Error('not valid JSON')
}

function addName(names: Set<string>, written: string): void {
  let name: unknown
  try {
    name = JSON.parse(written)
  } catch {
    throw new Error('not valid JSON')
  }
  if (names.has(name as string)) throw new Error('a member occurs twice in JSON')
  names.add(name as string)
}
