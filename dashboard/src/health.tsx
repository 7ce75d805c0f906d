// How something does, told by shape and word as well as by colour.
import type { Health } from '../../src/contracts/read-api.ts'

import './health.css'

const shapes: Readonly<Record<Health, string>> = { healthy: '●', degraded: '▲', failing: '✕', idle: '○' }

export function HealthMark({ health }: { readonly health: Health }) {
  return (
    <span className={`health ${health}`} role="img" aria-label={health}>
      {shapes[health]}
    </span>
  )
}

export function HealthText({ health }: { readonly health: Health }) {
  return (
    <span className={`health-text ${health}`}>
      <span aria-hidden="true">{shapes[health]}</span> {health}
    </span>
  )
}
