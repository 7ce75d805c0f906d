// Rewrites authority and path on the way to the backend (Gateway API HTTPURLRewriteFilter).

export interface RewriteSpec {
  readonly hostname?: string
  readonly path?: PathModifierSpec
}

export interface PathModifierSpec {
  /** `full` replaces the whole path, `prefix` the part that the rule's prefix match covered; the query stays. */
  readonly kind: 'full' | 'prefix'
  readonly value: string
}
