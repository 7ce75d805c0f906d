// Unified diff of two texts by lines, with three lines of context. Pure.

interface Edit {
  readonly mark: ' ' | '-' | '+'
  readonly text: string
}

const contextLines = 3

/** Empty when the texts are the same. */
export function unifiedDiff(
  before: string,
  after: string,
  names: { readonly before: string; readonly after: string },
): string {
  if (before === after) return ''
  const edits = editScript(toLines(before), toLines(after))
  const hunks = hunkRanges(edits).map(([start, end]) => renderHunk(edits, start, end))
  return `--- ${names.before}\n+++ ${names.after}\n${hunks.join('')}`
}

function toLines(text: string): string[] {
  if (text === '') return []
  return text.replace(/\n$/, '').split('\n')
}

/** By longest common subsequence; documents are short enough for the quadratic table. */
function editScript(before: readonly string[], after: readonly string[]): Edit[] {
  const width = after.length + 1
  const lengths = new Uint32Array((before.length + 1) * width)
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        before[i] === after[j]
          ? (lengths[(i + 1) * width + j + 1] as number) + 1
          : Math.max(lengths[(i + 1) * width + j] as number, lengths[i * width + j + 1] as number)
    }
  }
  const edits: Edit[] = []
  let i = 0
  let j = 0
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      edits.push({ mark: ' ', text: before[i] as string })
      i++
      j++
    } else if (
      j >= after.length ||
      (i < before.length && (lengths[(i + 1) * width + j] as number) >= (lengths[i * width + j + 1] as number))
    ) {
      edits.push({ mark: '-', text: before[i++] as string })
    } else {
      edits.push({ mark: '+', text: after[j++] as string })
    }
  }
  return edits
}

/** Changes that share context lines belong to one hunk. */
function hunkRanges(edits: readonly Edit[]): [start: number, end: number][] {
  const ranges: [number, number][] = []
  edits.forEach(({ mark }, index) => {
    if (mark === ' ') return
    const start = Math.max(0, index - contextLines)
    const end = Math.min(edits.length, index + contextLines + 1)
    const last = ranges.at(-1)
    if (last !== undefined && start <= last[1]) last[1] = end
    else ranges.push([start, end])
  })
  return ranges
}

function renderHunk(edits: readonly Edit[], start: number, end: number): string {
  const hunk = edits.slice(start, end)
  const range = (other: '+' | '-'): string => {
    const first = edits.slice(0, start).filter(({ mark }) => mark !== other).length
    const count = hunk.filter(({ mark }) => mark !== other).length
    return `${count === 0 ? first : first + 1},${count}`
  }
  return `@@ -${range('+')} +${range('-')} @@\n${hunk.map(({ mark, text }) => `${mark}${text}\n`).join('')}`
}
