// Text tables that fit the terminal. The only place that lays out columns.

export interface TableColumn {
  readonly header: string
  readonly align?: 'left' | 'right'
}

export interface TableOptions {
  /** Characters per line; absent: as wide as the content is. */
  readonly width?: number
  /** Colours the header; the width of what it returns is not counted. */
  readonly styleHeader?: (text: string) => string
  /** Colours a cell, after it was padded and shortened. */
  readonly styleCell?: (text: string, row: number, column: number) => string
}

const gap = '  '
const narrowest = 4

/** Lines end with a newline. Too wide a table gives up characters of its widest columns, marked by "…". */
export function renderTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const widths = fitWidths(
    columns.map(({ header }, column) =>
      Math.max(textWidth(header), ...rows.map((row) => textWidth(oneLine(row[column] ?? '')))),
    ),
    options.width,
  )
  const line = (cells: readonly string[], style: (text: string, column: number) => string): string => {
    const laidOut = columns.map(({ align }, column) => {
      const text = shorten(oneLine(cells[column] ?? ''), widths[column] ?? 0)
      const padding = ' '.repeat((widths[column] ?? 0) - textWidth(text))
      const last = column === columns.length - 1
      if (align === 'right') return padding + style(text, column)
      return style(text, column) + (last ? '' : padding)
    })
    return `${laidOut.join(gap).trimEnd()}\n`
  }
  const styleHeader = options.styleHeader ?? ((text: string): string => text)
  const head = line(
    columns.map(({ header }) => header),
    styleHeader,
  )
  const body = rows.map((row, index) => line(row, (text, column) => options.styleCell?.(text, index, column) ?? text))
  return head + body.join('')
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

function shorten(text: string, width: number): string {
  if (textWidth(text) <= width) return text
  return `${graphemes(text)
    .slice(0, Math.max(0, width - 1))
    .join('')}…`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ')
}

/** In characters as people count them; wide ones count as one. */
function textWidth(text: string): number {
  return graphemes(text).length
}

const segmenter = new Intl.Segmenter()

function graphemes(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}
