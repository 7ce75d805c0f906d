// Golden signals of a service or a workload, big enough to be read across a room.
import type { Health, Signals } from '../../../src/contracts/read-api.ts'
import { formatMs, formatRate, formatSuccess } from '../format.ts'

export interface TilesProps {
  readonly signals: Signals & { readonly health?: Health }
  readonly windowMs: number
}

export function Tiles({ signals, windowMs }: TilesProps) {
  const { failed, durationMs, health = '' } = signals
  const tiles: readonly (readonly [string, string])[] = [
    ['Rate', formatRate(signals.requests, windowMs)],
    ['Success', formatSuccess(signals)],
    ['p50', formatMs(durationMs?.p50)],
    ['p90', formatMs(durationMs?.p90)],
    ['p99', formatMs(durationMs?.p99)],
  ]
  return (
    <dl className="tiles">
      {tiles.map(([name, text]) => (
        <div key={name} className={name === 'Success' && failed > 0 ? health : ''}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  )
}
