// Golden signals as columns of a table: the same ones, in the same order, wherever they stand.
import type { Health, Signals } from '../../src/contracts/read-api.ts'
import { formatMs, formatRate, formatSuccess } from './format.ts'

type Column = 'rate' | 'success' | 'p50' | 'p99'

const titles: Readonly<Record<Column, string>> = { rate: 'Rate', success: 'Success', p50: 'p50', p99: 'p99' }
export const allSignals: readonly Column[] = ['rate', 'success', 'p50', 'p99']

export function SignalHeads({ columns = allSignals }: { readonly columns?: readonly Column[] }) {
  return columns.map((column) => <NumberHead key={column}>{titles[column]}</NumberHead>)
}

export interface SignalCellsProps {
  readonly signals: Signals & { readonly health?: Health }
  readonly windowMs: number
  readonly columns?: readonly Column[]
}

export function SignalCells({ signals, windowMs, columns = allSignals }: SignalCellsProps) {
  const texts: Readonly<Record<Column, string>> = {
    rate: formatRate(signals.requests, windowMs),
    success: formatSuccess(signals),
    p50: formatMs(signals.durationMs?.p50),
    p99: formatMs(signals.durationMs?.p99),
  }
  return columns.map((column) => (
    <td key={column} className={`number ${column === 'success' ? (signals.health ?? '') : ''}`}>
      {texts[column]}
    </td>
  ))
}

export function NumberHead({ children }: { readonly children: string }) {
  return (
    <th scope="col" className="number">
      {children}
    </th>
  )
}

/** Heads of columns of words. */
export function Heads({ of }: { readonly of: readonly string[] }) {
  return of.map((title) => (
    <th key={title} scope="col">
      {title}
    </th>
  ))
}
