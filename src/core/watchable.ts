// A value that changes, and those who want to know: each subscriber sees the newest value, never a backlog.

export interface Watchable<T> {
  readonly value: T
  /** Calls `listener` after each change until the returned function is called. Not called for the present value. */
  subscribe(listener: (value: T) => void): () => void
}

export class WatchableValue<T> implements Watchable<T> {
  #value: T
  readonly #listeners = new Set<(value: T) => void>()

  constructor(value: T) {
    this.#value = value
  }

  get value(): T {
    return this.#value
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return
    this.#value = value
    for (const listener of this.#listeners) listener(value)
  }

  subscribe(listener: (value: T) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
