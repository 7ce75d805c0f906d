// How every verb writes its answer: table, JSON or YAML on standard output; everything else on standard error. Nothing of what others wrote
// reaches the terminal as it is.
import pico from 'picocolors'

import type { CliHost } from './host.ts'
import { printable, printableJson, printableLines, printableYaml } from './printable-text.ts'
import { renderTable, type TableColumn } from './table.ts'

export const outputFormats = ['table', 'json', 'yaml'] as const
export type OutputFormat = (typeof outputFormats)[number]

export type Colors = ReturnType<typeof pico.createColors>

export interface TableView {
  readonly columns: readonly TableColumn[]
  readonly rows: readonly (readonly string[])[]
  /** Said in place of a table without rows. */
  readonly empty: string
  /** Colours a cell, beyond the words that have a colour everywhere. */
  readonly styleCell?: (text: string, row: number, column: number, colors: Colors) => string
}

export class Output {
  readonly colors: Colors
  /** Whether the terminal shows more than ASCII: unless the locale says otherwise. */
  readonly isUnicode: boolean
  readonly #host: CliHost

  constructor(host: CliHost) {
    this.#host = host
    // https://no-color.org: any value but the empty one
    const wanted = (host.env['NO_COLOR'] ?? '') === '' && host.stdout.isTTY === true && host.env['TERM'] !== 'dumb'
    this.colors = pico.createColors(wanted)
    const locale = [host.env['LC_ALL'], host.env['LC_CTYPE'], host.env['LANG']].find((value) => (value ?? '') !== '')
    this.isUnicode = locale === undefined || /utf-?8/i.test(locale)
  }

  /** As it is: what is made of texts of others went through `text`, or a table. */
  write(text: string): void {
    this.#host.stdout.write(text)
  }

  line(text = ''): void {
    this.#host.stdout.write(`${printableLines(text)}\n`)
  }

  /** Of others, on one line. */
  text(text: string): string {
    return printable(text, this.isUnicode)
  }

  /** Progress, warnings: not part of the answer. */
  note(text: string): void {
    this.#host.stderr.write(`${printableLines(text)}\n`)
  }

  table(view: TableView): void {
    this.write(this.renderTable(view))
  }

  renderTable({ columns, rows, empty, styleCell }: TableView): string {
    if (rows.length === 0) return `${empty}\n`
    const { columns: width } = this.#host.stdout
    return renderTable(columns, rows, {
      ...(width === undefined ? {} : { width }),
      isUnicode: this.isUnicode,
      styleHeader: this.colors.bold,
      styleCell: (text, row, column) => styleCell?.(text, row, column, this.colors) ?? this.#styleWord(text),
    })
  }

  /** `value` for machines, `view` for people. */
  async answer(format: OutputFormat, value: unknown, view: () => TableView): Promise<void> {
    if (format === 'table') this.table(view())
    else await this.structured(format, value)
  }

  async structured(format: 'json' | 'yaml', value: unknown): Promise<void> {
    if (format === 'json') this.write(`${printableJson(JSON.stringify(value, null, 2))}\n`)
    else this.write(await toYaml(value))
  }

  /** One of several that follow: JSON on a line, or a document of YAML. */
  async next(format: 'json' | 'yaml', value: unknown): Promise<void> {
    if (format === 'json') this.write(`${printableJson(JSON.stringify(value))}\n`)
    else this.write(`---\n${await toYaml(value)}`)
  }

  #styleWord(text: string): string {
    if (goodWords.has(text)) return this.colors.green(text)
    if (badWords.has(text)) return this.colors.red(text)
    if (doubtfulWords.has(text)) return this.colors.yellow(text)
    return text
  }
}

const goodWords = new Set(['yes', 'ready', 'ok', 'healthy', 'connected', 'created', 'changed'])
const badWords = new Set(['no', 'failing', 'failed', 'error', 'disconnected', 'expired'])
const doubtfulWords = new Set(['degraded', 'warning', 'plaintext', 'some'])

export async function toYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml')
  return printableYaml((options) => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, ...options }))
}
