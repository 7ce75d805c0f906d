// Things that were started are stopped in reverse order, all of them, whatever one of them throws.

export type Stop = () => void | Promise<void>

export class Lifecycle {
  readonly #stops: Stop[] = []
  #stopping: Promise<void> | undefined

  /** Registers what `stop` will undo; returns its argument's stop for symmetry. */
  onStop(stop: Stop): void {
    this.#stops.push(stop)
  }

  /** Idempotent; resolves when everything has stopped. Rejects with an AggregateError when some stop failed. */
  stop(): Promise<void> {
    this.#stopping ??= this.#run()
    return this.#stopping
  }

  async #run(): Promise<void> {
    const errors: unknown[] = []
    for (let stop = this.#stops.pop(); stop !== undefined; stop = this.#stops.pop()) {
      try {
        await stop()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'stopping failed')
  }
}
