// Draws which mirrors get a copy of a request, each by its own share.
import type { Random } from '../../core/random.ts'
import type { MirrorSpec } from './mirror.spec.ts'

const none: readonly string[] = []

/** Names of the clusters that get a copy, in the order written. */
export function compileMirrors(specs: readonly MirrorSpec[]): (random: Random) => readonly string[] {
  const live = specs.filter((spec) => spec.cluster !== '' && spec.numerator > 0)
  if (live.length === 0) return () => none
  return (random) =>
    live
      .filter((spec) => spec.numerator >= spec.denominator || random.next() * spec.denominator < spec.numerator)
      .map((spec) => spec.cluster)
}
