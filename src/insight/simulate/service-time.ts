// How long something takes, drawn at random; and independent sequences of chance from one seed.
import { createRandom, type Random } from '../../core/random.ts'

export type Draw = (random: Random) => number

/** In the units of what it is given. */
export type ServiceTimeModel =
  | { readonly distribution: 'Constant' | 'Exponential'; readonly meanMs: number }
  | { readonly distribution: 'LogNormal'; readonly medianMs: number; readonly p99Ms: number }

/** Of the standard normal distribution. */
const normal99 = 2.326_347_874

export function serviceTimeDraw(model: ServiceTimeModel): Draw {
  if (model.distribution === 'LogNormal') {
    const { medianMs, p99Ms } = model
    const sigma = Math.log(p99Ms / medianMs) / normal99
    return (random) => medianMs * Math.exp(sigma * normal(random))
  }
  const { meanMs } = model
  return model.distribution === 'Constant' ? () => meanMs : (random) => exponential(random, meanMs)
}

/** Memoryless, as the times between arrivals of many independent callers are. */
export function exponential(random: Random, meanMs: number): number {
  return -meanMs * Math.log(1 - random.next())
}

/** Box and Muller. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
}

/** The same seed and name give the same sequence, another name an unrelated one: what one part draws does not move another's. */
export function namedRandom(seed: number, name: string): Random {
  let state = seed ^ 0x9e37_79b9
  for (let i = 0; i < name.length; i++) state = mixed(state ^ name.charCodeAt(i))
  return createRandom(mixed(state))
}

/** MurmurHash3's finalizer. */
function mixed(word: number): number {
  let bits = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
