// Text tables that fit the terminal. The only place that lays out columns; what cells say is shown, and never obeyed.
import { printable } from './printable-text.ts'
import { startOf, textWidth } from './text-width.ts'

export interface TableColumn {
  readonly header: string
  readonly align?: 'left' | 'right'
  /** Goes on below, where others are shortened. */
  readonly wraps?: true
  /** Left out where there is no room for all columns: the highest number first. */
  readonly spare?: number
}

export interface TableOptions {
  /** Whether more than ASCII may be shown; it may, unless told. */
  readonly isUnicode?: boolean
  /** Characters per line; absent: as wide as the content is. */
  readonly width?: number
  /** Colours the header; the width of what it returns is not counted. */
  readonly styleHeader?: (text: string) => string
  /** Colours a cell, after it was padded and shortened. */
  readonly styleCell?: (text: string, row: number, column: number) => string
}

const gap = '  '
const narrowest = 4

/** Lines end with a newline. Too wide a table leaves out spare columns, then gives up characters of its widest ones, marked by "…". */
export function renderTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const { isUnicode = true, width } = options
  const cells = rows.map((row) => columns.map((_, column) => printable(row[column] ?? '', isUnicode)))
  const natural = columns.map(({ header }, column) =>
    Math.max(textWidth(header), ...cells.map((row) => textWidth(row[column] as string))),
  )
  const shown = fitColumns(columns, natural, width)
  const widths = fitWidths(
    shown.map((column) => natural[column] as number),
    width,
  )
  const mark = isUnicode ? '…' : '~'
  const line = (texts: readonly string[], style: (text: string, column: number) => string): string => {
    const laidOut = shown.map((column, place) => {
      const room = widths[place] as number
      const text = shorten(texts[column] as string, room, mark)
      const padding = ' '.repeat(room - textWidth(text))
      const last = place === shown.length - 1
      if (columns[column]?.align === 'right') return padding + style(text, column)
      return style(text, column) + (last ? '' : padding)
    })
    return `${laidOut.join(gap).trimEnd()}\n`
  }
  /** A row as the lines that it takes. */
  const linesOf = (texts: readonly string[]): string[][] => {
    const parts = texts.map((text, column) => {
      const room = widths[shown.indexOf(column)]
      return columns[column]?.wraps && room !== undefined ? wrap(text, room) : [text]
    })
    const height = Math.max(1, ...parts.map(({ length }) => length))
    return Array.from({ length: height }, (_, index) => parts.map((part) => part[index] ?? ''))
  }
  const styleHeader = options.styleHeader ?? ((text: string): string => text)
  const head = line(
    columns.map(({ header }) => header),
    styleHeader,
  )
  const body = cells.flatMap((row, index) =>
    linesOf(row).map((texts) => line(texts, (text, column) => options.styleCell?.(text, index, column) ?? text)),
  )
  return head + body.join('')
}

/** The numbers of those that are shown. */
function fitColumns(columns: readonly TableColumn[], natural: readonly number[], available = Infinity): number[] {
  const shown = columns.map((_, column) => column)
  const needed = (): number =>
    shown.reduce((sum, column) => sum + (natural[column] as number) + gap.length, -gap.length)
  const spare = shown
    .filter((column) => columns[column]?.spare !== undefined)
    .toSorted((a, b) => (columns[b]?.spare as number) - (columns[a]?.spare as number))
  for (const column of spare) {
    if (needed() <= available) break
    shown.splice(shown.indexOf(column), 1)
  }
  return shown
}

function fitWidths(natural: readonly number[], available: number | undefined): number[] {
  const widths = [...natural]
  if (available === undefined) return widths
  let excess = widths.reduce((sum, width) => sum + width, 0) + gap.length * (widths.length - 1) - available
  while (excess > 0) {
    const widest = widths.indexOf(Math.max(...widths))
    const width = widths[widest] as number
    if (width <= narrowest) break
    widths[widest] = width - 1
    excess--
  }
  return widths
}

function shorten(text: string, width: number, mark: string): string {
  return textWidth(text) <= width ? text : `${startOf(text, width - 1)}${mark}`
}

/** Between words where that is possible. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let rest = text
  while (textWidth(rest) > width) {
    const start = startOf(rest, width)
    const blank = rest.charAt(start.length) === ' ' ? start.length : start.lastIndexOf(' ')
    const end = blank > 0 ? blank : Math.max(1, start.length)
    lines.push(rest.slice(0, end))
    rest = rest.slice(end).trimStart()
  }
  return [...lines, rest]
}
