// Chooses one of several by weight for whoever has the same key: weighted rendezvous hashing, so that new weights move no more callers than they must.
import type { RequestHead } from '../../contracts/http-message.ts'
import type { Random } from '../../core/random.ts'
import { compileHashPolicies } from '../load-balancing/hash-policy.runtime.ts'
import { hashText, rehash } from '../load-balancing/key-hash.runtime.ts'
import type { HashPolicySpec } from '../load-balancing/load-balancing.spec.ts'
import type { WeightedSpec } from './traffic-split.spec.ts'

export interface StickyChoice<T> {
  readonly item: T
  /** `Set-Cookie` lines for the response. */
  readonly setCookies: readonly string[] | undefined
}

/** Undefined: the request has nothing that decides, or there is nothing to choose. */
export type StickySplit<T> = (request: RequestHead, random: Random) => StickyChoice<T> | undefined

/** The policies are those that do not ask who calls. */
const nobody = { address: '', spiffeId: undefined }

/** `nameOf`: what an item is known by, whatever its weight and its place. */
export function compileStickySplit<T extends WeightedSpec>(
  items: readonly T[],
  policies: readonly HashPolicySpec[],
  nameOf: (item: T) => string,
): StickySplit<T> {
  const hasher = compileHashPolicies(policies)
  const live = items.filter(({ weight }) => weight > 0)
  const salts = saltsOf(live.map(nameOf))
  return (request, random) => {
    const { hash, setCookies } = hasher(request, nobody, random)
    if (hash === undefined) return undefined
    let chosen: T | undefined
    let best = Infinity
    for (let index = 0; index < live.length; index++) {
      const item = live[index] as T
      // an exponential time of rate `weight`: the first one wins
      const time = -Math.log((rehash(hash, salts[index] as number) + 0.5) / 2 ** 32) / item.weight
      if (time >= best) continue
      best = time
      chosen = item
    }
    return chosen === undefined ? undefined : { item: chosen, setCookies }
  }
}

/** Items of the same name are apart all the same. */
function saltsOf(names: readonly string[]): number[] {
  return names.map((name, index) => hashText(name, names.slice(0, index).filter((other) => other === name).length))
}
