// Maglev: a table of prime size, each slot belongs to one endpoint. Each endpoint goes through the slots in an order of its own, in turns by weight, and has those
// that it comes to first. A turn that finds the slot taken is spent: so nobody's slots depend on who else there is, and a change moves no others.
import type { LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { HashedTable } from './hashed-pick.runtime.ts'
import { hashText, rehash } from './key-hash.runtime.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'
import { isEven } from './weighted-draw.runtime.ts'

type Maglev = Extract<LoadBalancingSpec, { kind: 'maglev' }>

export function buildMaglev<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  { tableSize }: Maglev,
): HashedTable<E> {
  const sorted = endpoints.toSorted((a, b) => (a.address < b.address ? -1 : 1))
  const slots = fillSlots(sorted, tableSize)
  return {
    at(hash, step) {
      const slot = (step === 0 ? hash : rehash(hash, step)) % tableSize
      return sorted[slots[slot] as number] as E
    },
  }
}

function fillSlots(sorted: readonly LoadBalancedEndpoint[], size: number): Uint32Array {
  const slots = new Uint32Array(size)
  const takenAt = new Float64Array(size).fill(Infinity)
  const next = Uint32Array.from(sorted, ({ address }) => hashText(address, 1) % size)
  const skip = Uint32Array.from(sorted, ({ address }) => 1 + (hashText(address, 2) % (size - 1)))
  const phase = Float64Array.from(sorted, ({ address }) => hashText(address, 3) / 2 ** 32)
  const turns = new Uint32Array(sorted.length)
  // A slot comes up anywhere in an endpoint's order. That made an exponential time of the endpoint's rate, the first of several endpoints is each as often as its
  // weight says. Where weights are equal the order is all that matters.
  const even = isEven(sorted.map(({ weight }) => weight))
  const timeOf = (turn: number, weight: number): number => (even ? turn : (-size * Math.log1p(-turn / size)) / weight)
  const turnsBy = (time: number, weight: number): number => (even ? time : -size * Math.expm1((-time * weight) / size))
  // All turns of one period are taken before the next, until every slot is taken: what comes later is late.
  const totalWeight = even ? sorted.length : sorted.reduce((sum, { weight }) => sum + weight, 0)
  const periodLength = Math.max(1, size / 8) / totalWeight
  let free = size
  for (let period = 1; free > 0; period++) {
    const untilTime = period * periodLength
    for (let owner = 0; owner < sorted.length; owner++) {
      const { weight } = sorted[owner] as LoadBalancedEndpoint
      const shift = phase[owner] as number
      const step = skip[owner] as number
      const until = Math.min(size, Math.floor(turnsBy(untilTime, weight) - shift) + 1)
      let slot = next[owner] as number
      let turn = turns[owner] as number
      for (; turn < until; turn++) {
        const time = timeOf(turn + shift, weight)
        const takenBefore = takenAt[slot] as number
        if (time < takenBefore) {
          if (takenBefore === Infinity) free--
          takenAt[slot] = time
          slots[slot] = owner
        }
        slot += step
        if (slot >= size) slot -= size
      }
      next[owner] = slot
      turns[owner] = turn
    }
  }
  return slots
}
