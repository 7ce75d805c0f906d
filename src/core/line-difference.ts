// What differs between two texts, line by line, with what stands around it. Pure.

export interface DifferentLine {
  readonly mark: ' ' | '-' | '+'
  readonly text: string
}

/** Lines that changed, with three before and after them. */
export interface Hunk {
  /** Number of the first line, from 1; of no line, that of the one before it. */
  readonly beforeStart: number
  readonly beforeCount: number
  readonly afterStart: number
  readonly afterCount: number
  readonly lines: readonly DifferentLine[]
}

const contextLines = 3
/** Of the table for the longest common part; where more differs, all of it counts as replaced. */
const mostCells = 4_000_000

/** Empty when the texts are the same. */
export function lineDifference(before: string, after: string): Hunk[] {
  if (before === after) return []
  const lines = differentLines(toLines(before), toLines(after))
  return hunkRanges(lines).map(([start, end]) => toHunk(lines, start, end))
}

function toLines(text: string): string[] {
  if (text === '') return []
  return text.replace(/\n$/, '').split('\n')
}

/** What begins and ends alike is left out of the table. */
function differentLines(before: readonly string[], after: readonly string[]): DifferentLine[] {
  const shorter = Math.min(before.length, after.length)
  let head = 0
  while (head < shorter && before[head] === after[head]) head++
  let tail = 0
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++
  return [
    ...same(before.slice(0, head)),
    ...editScript(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...same(before.slice(before.length - tail)),
  ]
}

function same(lines: readonly string[]): DifferentLine[] {
  return lines.map((text) => ({ mark: ' ', text }))
}

/** By longest common subsequence. */
function editScript(before: readonly string[], after: readonly string[]): DifferentLine[] {
  const width = after.length + 1
  const removed = before.map((text): DifferentLine => ({ mark: '-', text }))
  const added = after.map((text): DifferentLine => ({ mark: '+', text }))
  if ((before.length + 1) * width > mostCells) return [...removed, ...added]
  const lengths = new Uint32Array((before.length + 1) * width)
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        before[i] === after[j]
          ? (lengths[(i + 1) * width + j + 1] as number) + 1
          : Math.max(lengths[(i + 1) * width + j] as number, lengths[i * width + j + 1] as number)
    }
  }
  const lines: DifferentLine[] = []
  let i = 0
  let j = 0
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ mark: ' ', text: before[i++] as string })
      j++
    } else if (
      j >= after.length ||
      (i < before.length && (lengths[(i + 1) * width + j] as number) >= (lengths[i * width + j + 1] as number))
    ) {
      lines.push(removed[i++] as DifferentLine)
    } else {
      lines.push(added[j++] as DifferentLine)
    }
  }
  return lines
}

/** Changes that share context lines belong to one hunk. */
function hunkRanges(lines: readonly DifferentLine[]): [start: number, end: number][] {
  const ranges: [number, number][] = []
  for (const [index, { mark }] of lines.entries()) {
    if (mark === ' ') continue
    const start = Math.max(0, index - contextLines)
    const end = Math.min(lines.length, index + contextLines + 1)
    const last = ranges.at(-1)
    if (last !== undefined && start <= last[1]) last[1] = end
    else ranges.push([start, end])
  }
  return ranges
}

function toHunk(all: readonly DifferentLine[], start: number, end: number): Hunk {
  const lines = all.slice(start, end)
  const range = (other: '+' | '-'): [number, number] => {
    const first = all.slice(0, start).filter(({ mark }) => mark !== other).length
    const count = lines.filter(({ mark }) => mark !== other).length
    return [count === 0 ? first : first + 1, count]
  }
  const [beforeStart, beforeCount] = range('+')
  const [afterStart, afterCount] = range('-')
  return { beforeStart, beforeCount, afterStart, afterCount, lines }
}
