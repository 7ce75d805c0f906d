// What a further attempt keeps away from: all endpoints of the places that were tried.
import type { Avoided, LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { Locality } from '../../contracts/locality.ts'

/** So many endpoints have failed before a retry avoids their places: the first retry stays near. */
export const failuresOfPlace = 2

export class OtherPlaces<E extends LoadBalancedEndpoint> implements Avoided<E> {
  readonly size: number
  readonly #places: ReadonlySet<string>

  private constructor(places: ReadonlySet<string>) {
    this.#places = places
    this.size = places.size
  }

  /** Undefined: fewer than `failures` were tried, and no place is to be avoided yet. */
  static of<E extends LoadBalancedEndpoint>(tried: ReadonlySet<E>, failures: number): OtherPlaces<E> | undefined {
    if (tried.size < failures) return undefined
    return new OtherPlaces(new Set(Array.from(tried, ({ locality }) => placeOf(locality))))
  }

  has({ locality }: E): boolean {
    return this.#places.has(placeOf(locality))
  }
}

function placeOf(locality: Locality | undefined): string {
  return locality === undefined ? '' : `${locality.region}/${locality.zone}`
}
