// Rewrites authority and path on the way to the backend (Gateway API HTTPURLRewriteFilter).

export interface RewriteSpec {
  readonly hostname?: string
  /** Excludes `hostname`: of the path without query. */
  readonly hostPattern?: RegexRewriteSpec
  readonly path?: PathModifierSpec
}

/** `full` replaces the whole path, `prefix` the part that the rule's prefix match covered, `regex` what it matches; the query stays. */
export type PathModifierSpec =
  | { readonly kind: 'full' | 'prefix'; readonly value: string }
  | ({ readonly kind: 'regex' } & RegexRewriteSpec)

/** RE2: in the substitution "\\1" is what the first group matched, "\\0" all. */
export interface RegexRewriteSpec {
  readonly pattern: string
  readonly substitution: string
}
