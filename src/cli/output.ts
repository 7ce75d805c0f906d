// How every verb writes its answer: table, JSON or YAML on standard output; everything else on standard error.
import pico from 'picocolors'

import type { CliHost } from './host.ts'
import { renderTable, type TableColumn } from './table.ts'

export const outputFormats = ['table', 'json', 'yaml'] as const
export type OutputFormat = (typeof outputFormats)[number]

type Colors = ReturnType<typeof pico.createColors>

export interface TableView {
  readonly columns: readonly TableColumn[]
  readonly rows: readonly (readonly string[])[]
  /** Said in place of a table without rows. */
  readonly empty: string
}

export class Output {
  readonly colors: Colors
  readonly #host: CliHost

  constructor(host: CliHost) {
    this.#host = host
    // https://no-color.org: any value but the empty one
    const wanted = (host.env['NO_COLOR'] ?? '') === '' && host.stdout.isTTY === true && host.env['TERM'] !== 'dumb'
    this.colors = pico.createColors(wanted)
  }

  write(text: string): void {
    this.#host.stdout.write(text)
  }

  line(text = ''): void {
    this.#host.stdout.write(`${text}\n`)
  }

  /** Progress, warnings: not part of the answer. */
  note(text: string): void {
    this.#host.stderr.write(`${text}\n`)
  }

  table(view: TableView): void {
    this.write(this.renderTable(view))
  }

  renderTable({ columns, rows, empty }: TableView): string {
    if (rows.length === 0) return `${empty}\n`
    const { columns: width } = this.#host.stdout
    return renderTable(columns, rows, {
      ...(width === undefined ? {} : { width }),
      styleHeader: this.colors.bold,
      styleCell: (text) => this.#styleWord(text),
    })
  }

  /** `value` for machines, `view` for people. */
  async answer(format: OutputFormat, value: unknown, view: () => TableView): Promise<void> {
    if (format === 'table') this.table(view())
    else await this.structured(format, value)
  }

  async structured(format: 'json' | 'yaml', value: unknown): Promise<void> {
    if (format === 'json') this.line(JSON.stringify(value, null, 2))
    else this.write(await toYaml(value))
  }

  #styleWord(text: string): string {
    if (goodWords.has(text)) return this.colors.green(text)
    if (badWords.has(text)) return this.colors.red(text)
    return text
  }
}

const goodWords = new Set(['yes', 'ready', 'ok', 'healthy', 'connected', 'created', 'changed'])
const badWords = new Set(['no', 'failing', 'failed', 'error', 'disconnected', 'expired'])

export async function toYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml')
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })
}
