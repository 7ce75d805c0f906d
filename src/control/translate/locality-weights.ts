// Weights of places, as a TrafficPolicy says them → those of Envoy's localities.
import type { Locality } from '../../contracts/locality.ts'
import type { LocalityWeightSpec } from '../../policies/load-balancing/load-balancing.spec.ts'

interface Placed {
  readonly weight: number
  readonly locality?: Locality
}

/** So that a place of several localities is divided into whole numbers. */
const parts = 1_000

/** Of each group of endpoints, all of one locality. The first entry that names its place holds; the localities of one place divide its weight by what is there. */
export function weightsOfLocalities(
  groups: readonly (readonly Placed[])[],
  weights: readonly LocalityWeightSpec[],
): number[] {
  const entries = groups.map(([first]) => weights.find((entry) => isIn(entry, first?.locality)))
  const sizes = groups.map((members) => members.reduce((sum, { weight }) => sum + weight, 0))
  return entries.map((entry, i) => {
    if (entry === undefined || entry.weight === 0) return 0
    const all = sizes.reduce((sum, size, at) => (entries[at] === entry ? sum + size : sum), 0)
    return Math.max(1, Math.round((entry.weight * parts * (sizes[i] as number)) / all))
  })
}

function isIn({ region, zone, subZone }: LocalityWeightSpec, locality: Locality | undefined): boolean {
  return (
    locality?.region === region &&
    (zone === undefined || locality.zone === zone) &&
    (subZone === undefined || locality.subZone === subZone)
  )
}
