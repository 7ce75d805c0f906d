// Bodies below a line of `heddle tap`: text as text, other bytes as hexadecimal digits beside what of them is ASCII.
import type { TappedBody, TappedRecord } from '../../contracts/telemetry/tap.ts'
import type { Output } from '../output.ts'

const bytesOfRow = 16
const longestRow = 1_000
const longRow = /.{1,500}/gu

export function bodyLines(output: Output, { bodies }: TappedRecord): string[] {
  const { request, response } = bodies ?? {}
  return [
    ...(request === undefined ? [] : oneBody(output, output.isUnicode ? '→' : '>', request)),
    ...(response === undefined ? [] : oneBody(output, output.isUnicode ? '←' : '<', response)),
  ]
}

function oneBody(output: Output, arrow: string, body: TappedBody): string[] {
  const { bytes, type, isCut, omitted } = body
  const about = [`${bytes} bytes`, ...(type === undefined ? [] : [output.text(type)])]
  if (omitted !== undefined) about.push(`not shown: ${output.text(omitted)}`)
  else if (isCut) about.push('cut')
  const rows = body.text === undefined ? hexRows(body.base64 ?? '') : textRows(body.text)
  return [`  ${output.colors.dim(`${arrow} ${about.join(', ')}`)}`, ...rows.map((row) => `    ${output.text(row)}`)]
}

/** A line that is too long for the terminal goes on in the next one. */
function textRows(text: string): string[] {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  return lines.flatMap((line) => (line.length <= longestRow ? [line] : (line.match(longRow) ?? [])))
}

function hexRows(base64: string): string[] {
  const bytes = Buffer.from(base64, 'base64')
  return Array.from({ length: Math.ceil(bytes.length / bytesOfRow) }, (_, row) => {
    const at = row * bytesOfRow
    const part = bytes.subarray(at, at + bytesOfRow)
    const digits = part.toString('hex').replaceAll(/../g, '$& ')
    const ascii = part.toString('latin1').replaceAll(/[^ -~]/g, '.')
    return `${at.toString(16).padStart(4, '0')}  ${digits.padEnd(3 * bytesOfRow)} ${ascii}`
  })
}
