// Ring hash (ketama): each endpoint has points on a ring, a key belongs to the next point. What an endpoint has does not depend on the others, so
// that a change moves only the keys of the endpoints that come and go.
import type { LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { HashedTable } from './hashed-pick.runtime.ts'
import { hashText } from './key-hash.runtime.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'

type RingHash = Extract<LoadBalancingSpec, { kind: 'ring-hash' }>

/** Of an endpoint of average weight, but for the bounds of the ring's size. */
const pointsPerEndpoint = 256
/** A point and its owner are one number, to be sorted as such: owners in the low bits. */
const owners = 2 ** 21

export function buildRing<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  { minRingSize, maxRingSize }: RingHash,
): HashedTable<E> {
  // Every proxy has the same ring, in whatever order it has heard of the endpoints.
  const sorted = endpoints.toSorted((a, b) => (a.address < b.address ? -1 : 1))
  const perWeight = pointsPerWeight(sorted, minRingSize, maxRingSize)
  const counts = sorted.map(({ weight }) => Math.max(1, Math.round(weight * perWeight)))
  const ring = new Float64Array(counts.reduce((sum, count) => sum + count, 0))
  let filled = 0
  for (const [owner, endpoint] of sorted.entries()) {
    const start = hashText(endpoint.address, 0)
    for (let point = 0; point < (counts[owner] as number); point++)
      ring[filled++] = hashText(`${endpoint.address}_${point}`, start) * owners + owner
  }
  ring.sort()
  const ownerAt = (place: number): number => (ring[place] as number) % owners
  return {
    at(hash, step) {
      let place = firstFrom(ring, hash * owners)
      let owner = ownerAt(place)
      for (let passed = 0; passed < step;) {
        place = place + 1 === ring.length ? 0 : place + 1
        const next = ownerAt(place)
        if (next !== owner || sorted.length === 1) passed++
        owner = next
      }
      return sorted[owner] as E
    },
  }
}

/** A power of two: only where the bounds ask for another does a change of the endpoints move points of those that stay. */
function pointsPerWeight(endpoints: readonly LoadBalancedEndpoint[], minSize: number, maxSize: number): number {
  const total = endpoints.reduce((sum, { weight }) => sum + weight, 0)
  let perWeight = 2 ** Math.round(Math.log2((pointsPerEndpoint * endpoints.length) / total))
  while (perWeight * total < minSize) perWeight *= 2
  while (perWeight * total > maxSize) perWeight /= 2
  return perWeight
}

/** Place of the first number that is not below `value`; behind the last one comes the first. */
function firstFrom(ascending: Float64Array, value: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] as number) < value) low = middle + 1
    else high = middle
  }
  return low === ascending.length ? 0 : low
}
