// How a cluster spreads requests over its endpoints.

export type LoadBalancingSpec = LoadBalancingAlgorithm & {
  /**
   * `zone-aware`: first those of the caller's region, and of them those of its zone as far as these can take it. `failover`: first those of its sub-zone, then of its
   * zone, then of its region. `weighted`: by the weights of their localities, wherever the caller is. Absent: wherever they are.
   */
  readonly locality?: 'zone-aware' | 'failover' | 'weighted'
  /** Of endpoints that come; not with the algorithms that hash. Absent: they get their share at once. */
  readonly slowStart?: SlowStartSpec
  /** Absent: every endpoint may get any request. */
  readonly subsets?: SubsetsSpec
  /** Below this share of available endpoints the others get requests too; 0: never. Absent: `defaultPanicThresholdPercent` of the runtime. */
  readonly panicThresholdPercent?: number
}

/** Endpoints by their labels (Envoy: subset load balancing). A request goes to those that have the values it chooses by. */
export interface SubsetsSpec {
  /** By which keys together there are subsets. */
  readonly selectors: readonly SubsetSelectorSpec[]
  /** Where requests go that choose nothing, or by keys that no selector has. */
  readonly fallback: SubsetFallback
  /** What endpoints have that serve with fallback `default`. */
  readonly defaultSubset: Readonly<Record<string, string>>
}

export interface SubsetSelectorSpec {
  readonly keys: readonly string[]
  /** Where requests go whose values no endpoint has. Absent: as those that choose nothing. */
  readonly fallback?: SubsetFallback
}

/** `none`: nobody serves. */
export type SubsetFallback = 'none' | 'any' | 'default'

/** The header that says which value of a label a request is for. */
export interface SubsetKeySpec {
  readonly label: string
  readonly header: string
}

/** What a place gets of the requests, beside the weights of the others. */
export interface LocalityWeightSpec {
  readonly region: string
  /** Absent: any in the region. */
  readonly zone?: string
  readonly subZone?: string
  /** 0: nothing, as a place that is not named. */
  readonly weight: number
}

export interface SlowStartSpec {
  readonly windowMs: number
  /** 1: the share grows evenly; above: sooner, below: later. */
  readonly aggression: number
  readonly minWeightPercent: number
}

export type LoadBalancingAlgorithm =
  /** One after the other, by weight. */
  | { readonly kind: 'round-robin' }
  | { readonly kind: 'random' }
  /** In turns, by what endpoints report of their load. */
  | {
      readonly kind: 'client-side-weighted-round-robin'
      /** What an endpoint reports first is not believed for so long. */
      readonly blackoutMs: number
      /** What it has reported is forgotten after so long. */
      readonly weightExpirationMs: number
      readonly weightUpdateMs: number
      /** By which errors per request count as utilisation. */
      readonly errorUtilizationPenalty: number
    }
  /** Of `choiceCount` random endpoints the one with the fewest active requests wins (P2C). */
  | {
      readonly kind: 'least-request'
      readonly choiceCount: number
      /** With unequal weights: in turns, each endpoint by weight / (active requests + 1)^bias. Absent: drawn by weight, compared by active requests per weight. */
      readonly activeRequestBias?: number
    }
  /** Of `choiceCount` random endpoints the one wins that is likely to answer first. */
  | { readonly kind: 'peak-ewma'; readonly choiceCount: number; readonly decayMs: number }
  | ({ readonly kind: 'ring-hash'; readonly minRingSize: number; readonly maxRingSize: number } & BoundedLoad)
  | ({ readonly kind: 'maglev'; readonly tableSize: number } & BoundedLoad)

interface BoundedLoad {
  /** No endpoint has more than so many percent of the average of active requests: what is above goes to the next one. Absent: no bound. */
  readonly balanceFactorPercent?: number
}

/** What of a request decides where it goes, with the algorithms that hash. */
export type HashPolicySpec = HashedPart & {
  /** What comes after it is not looked at when it has a value. */
  readonly terminal?: true
}

export type HashedPart =
  | { readonly kind: 'header'; readonly name: string }
  | {
      readonly kind: 'cookie'
      readonly name: string
      readonly path?: string
      /** A caller without the cookie is given one for so long; 0: until its browser closes. Absent: it is not given one. */
      readonly ttlMs?: number
    }
  | { readonly kind: 'query-parameter'; readonly name: string }
  /** The caller's SPIFFE ID. */
  | { readonly kind: 'source-identity' }
  /** The caller's IP address. */
  | { readonly kind: 'source-address' }
