// How far charts look back: some times the page's own range, or as far as somebody who remembers more than the control plane is asked.
import type { Series } from '../../../src/contracts/read-api.ts'
import { amend, useRoute } from '../route.ts'

/** Seconds, and how they are called. */
const lookBacks = [
  [86_400, '1 day'],
  [604_800, '7 days'],
  [2_592_000, '30 days'],
] as const

/** So long the control plane itself remembers. */
const knownMs = 6 * 3_600_000

/** Charts look back further than figures: what was before is what they are for. */
export function useChartMs(windowMs: number): number {
  const asked = Number(useRoute().query.get('chart'))
  return lookBacks.some(([seconds]) => seconds === asked) ? asked * 1000 : Math.min(windowMs * 5, knownMs)
}

export function LookBack({ history }: Pick<Series, 'history'>) {
  const asked = useRoute().query.get('chart') ?? ''
  if (history === undefined) return null
  return (
    <p className="quiet">
      <label>
        Charts of{' '}
        <select value={asked} onChange={({ target: { value } }) => amend({ chart: value === '' ? undefined : value })}>
          <option value="">the time range</option>
          {lookBacks.map(([seconds, text]) => (
            <option key={seconds} value={seconds}>
              {text}
            </option>
          ))}
        </select>
      </label>
      {history.problem !== undefined && (
        <span className="degraded" role="status">
          {' '}
          ▲ Of before the control plane began nothing is known. {history.problem}
        </span>
      )}
    </p>
  )
}
