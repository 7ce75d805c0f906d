// What a fuzz target is: seeds, and a check that throws when an input shows a defect.

export interface FuzzTarget {
  /** Name of its folder below corpus/, where inputs that once failed are kept. */
  readonly name: string
  readonly seeds: readonly Buffer[]
  /** Inputs tried when no time is given. */
  readonly runs: number
  check(input: Buffer): void | Promise<void>
}
