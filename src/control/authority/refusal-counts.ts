// How many callers the certificate service has refused since the control plane started, by reason.
export class RefusalCounts {
  readonly #counts = new Map<string, number>()

  /** How many there are of that reason now. */
  count(reason: string): number {
    const next = (this.#counts.get(reason) ?? 0) + 1
    this.#counts.set(reason, next)
    return next
  }

  get value(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }
}
