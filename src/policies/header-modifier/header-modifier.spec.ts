// Changes to the header lines of a request or a response (Gateway API HTTPHeaderFilter).

export interface HeaderModifierSpec {
  readonly set: readonly HeaderLineSpec[]
  readonly add: readonly HeaderLineSpec[]
  readonly remove: readonly string[]
}

export interface HeaderLineSpec {
  readonly name: string
  readonly value: string
}
