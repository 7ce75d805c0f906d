// Which requests a rule speaks of (Gateway API HTTPRouteMatch). Every given part must match.

export interface RouteMatchSpec {
  readonly path: PathMatchSpec
  /** Upper case; absent matches any. */
  readonly method?: string
  readonly headers: readonly ValueMatchSpec[]
  readonly queryParams: readonly ValueMatchSpec[]
}

export interface PathMatchSpec {
  /** `prefix` matches whole path elements, as Gateway API's PathPrefix does; with a "/" at its end only what lies below it. */
  readonly kind: 'exact' | 'prefix' | 'regex'
  readonly value: string
}

export interface ValueMatchSpec {
  /** Headers: lower case. Query parameters: exact. */
  readonly name: string
  readonly kind: 'exact' | 'regex'
  readonly value: string
}
