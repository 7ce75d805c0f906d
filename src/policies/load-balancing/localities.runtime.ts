// Which endpoints get which share of the requests by where they are: tiers as Envoy's priorities, and zones within a tier. Each share has its own picks.
import type { LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { Locality } from '../../contracts/locality.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'

export interface Share<E> {
  /** Of the requests; all shares together are 1. 0: only for retries that have tried the others. */
  readonly share: number
  readonly endpoints: readonly E[]
}

export interface ShareOptions {
  readonly locality: LoadBalancingSpec['locality']
  readonly panicThresholdPercent: number
  /** Of this proxy. */
  readonly own: Locality | undefined
}

/** A tier serves all that it is asked for while so many of its endpoints are available: 1 / 1.4 (Envoy's overprovisioning factor). */
const overprovisioning = 1.4

/** Nearest first. Endpoints have weights above 0. */
export function compileShares<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  { locality, panicThresholdPercent, own }: ShareOptions,
): Share<E>[] {
  const tiers = tiersOf(endpoints, locality, own)
  const loads = loadsOf(tiers)
  // Where all tiers together cannot serve everything, a tier with too few available endpoints serves with all that it has.
  const short = loads.total < 1
  return tiers.flatMap((tier, i) => {
    const available = tier.filter((endpoint) => endpoint.available)
    const few = available.length * 100 < tier.length * panicThresholdPercent
    const serving = available.length === 0 || (short && few) ? tier : available
    return sharesOf(tier, serving, loads.shares[i] as number, locality, own)
  })
}

function tiersOf<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  mode: LoadBalancingSpec['locality'],
  own: Locality | undefined,
): E[][] {
  const tiers = new Map<number, E[]>()
  for (const endpoint of endpoints) {
    const tier = endpoint.priority * 4 + (own === undefined ? 0 : distanceOf(endpoint.locality, own, mode))
    const members = tiers.get(tier)
    if (members === undefined) tiers.set(tier, [endpoint])
    else members.push(endpoint)
  }
  return [...tiers].toSorted(([a], [b]) => a - b).map(([, members]) => members)
}

/** How far it is: below 4. */
function distanceOf(theirs: Locality | undefined, own: Locality, mode: LoadBalancingSpec['locality']): number {
  if (mode === undefined || mode === 'weighted') return 0
  if (theirs?.region !== own.region) return 3
  if (mode === 'zone-aware') return 0
  if (theirs.zone !== own.zone) return 2
  return theirs.subZone === own.subZone ? 0 : 1
}

/** `total`: what all tiers could take, of 1. */
function loadsOf(tiers: readonly (readonly LoadBalancedEndpoint[])[]): { shares: number[]; total: number } {
  const healths = tiers.map((tier) =>
    Math.min(1, (overprovisioning * tier.filter((one) => one.available).length) / tier.length),
  )
  const total = Math.min(1, sum(healths))
  if (total === 0) {
    const count = sum(tiers.map(({ length }) => length))
    return { shares: tiers.map(({ length }) => length / count), total }
  }
  let left = 1
  const shares = healths.map((health) => {
    const share = Math.min(left, health / total)
    left -= share
    return share
  })
  return { shares, total }
}

function sharesOf<E extends LoadBalancedEndpoint>(
  tier: readonly E[],
  serving: readonly E[],
  share: number,
  mode: LoadBalancingSpec['locality'],
  own: Locality | undefined,
): Share<E>[] {
  if (mode === 'weighted') return sharesByWeight(tier, serving, share)
  const zones = mode === 'zone-aware' && own !== undefined ? Map.groupBy(serving, zoneOf) : undefined
  const local = own === undefined ? undefined : zones?.get(zoneName(own))
  if (share === 0 || zones === undefined || local === undefined || zones.size === 1)
    return [{ share, endpoints: serving }]
  // Callers are taken to be in each zone alike: each zone then has to serve the same. What the own zone cannot, the others can that have more than they need.
  const capacity = sum(serving.map(({ weight }) => weight))
  const need = capacity / zones.size
  const localShare = Math.min(1, sum(local.map(({ weight }) => weight)) / need)
  const others = [...zones.values()].filter((zone) => zone !== local)
  const spare = others.map((zone) => Math.max(0, sum(zone.map(({ weight }) => weight)) - need))
  const allSpare = sum(spare)
  const rest = others.filter((_, i) => localShare === 1 || spare[i] === 0).flat()
  return [
    { share: share * localShare, endpoints: local },
    ...others.flatMap((endpoints, i) =>
      localShare === 1 || spare[i] === 0
        ? []
        : [{ share: (share * (1 - localShare) * (spare[i] as number)) / allSpare, endpoints }],
    ),
    ...(rest.length === 0 ? [] : [{ share: 0, endpoints: rest }]),
  ]
}

/** A locality with fewer available endpoints gets less, as a tier does. Where no locality has a weight or anybody available, all serve alike. */
function sharesByWeight<E extends LoadBalancedEndpoint>(
  tier: readonly E[],
  serving: readonly E[],
  share: number,
): Share<E>[] {
  const all = Map.groupBy(tier, localityName)
  const places = [...Map.groupBy(serving, localityName)].map(([name, endpoints]) => {
    const members = all.get(name) ?? endpoints
    const available = members.filter((one) => one.available).length
    // in panic all that serve are equally good
    const health = available === 0 ? 1 : Math.min(1, (overprovisioning * available) / members.length)
    return { weight: (endpoints[0]?.localityWeight ?? 0) * health, endpoints }
  })
  const total = sum(places.map(({ weight }) => weight))
  if (total === 0) return [{ share, endpoints: serving }]
  return places.flatMap(({ weight, endpoints }) =>
    weight === 0 ? [] : [{ share: (share * weight) / total, endpoints }],
  )
}

function localityName({ locality }: LoadBalancedEndpoint): string {
  return locality === undefined ? '' : `${locality.region}/${locality.zone}/${locality.subZone}`
}

function zoneOf({ locality }: LoadBalancedEndpoint): string {
  return locality === undefined ? '' : zoneName(locality)
}

function zoneName({ region, zone }: Locality): string {
  return `${region}/${zone}`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
