// Open streams by id. Not a Map: one with so much coming and going keeps what was deleted alive until the next full collection, since each
// of its old tables points to the one that followed.

interface Numbered {
  readonly id: number
}

export class StreamTable<S extends Numbered> {
  size = 0
  /** Open addressing: a stream is in its own place or in one of the occupied ones that follow. */
  #slots: (S | undefined)[] = []
  #mask = -1

  get(id: number): S | undefined {
    if (this.size === 0) return undefined
    for (let at = (id >>> 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      const stream = this.#slots[at]
      if (stream === undefined || stream.id === id) return stream
    }
  }

  /** No stream of that id is there yet. */
  add(stream: S): void {
    if (this.size * 2 > this.#mask) this.#grow()
    this.#place(stream)
    this.size++
  }

  /** False when it was not there. */
  delete(stream: S): boolean {
    if (this.get(stream.id) !== stream) return false
    let hole = (stream.id >>> 1) & this.#mask
    while (this.#slots[hole] !== stream) hole = (hole + 1) & this.#mask
    this.#slots[hole] = undefined
    this.size--
    // Whoever stands behind only because this place was taken moves up.
    for (let at = (hole + 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      const next = this.#slots[at]
      if (next === undefined) return true
      const home = (next.id >>> 1) & this.#mask
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue
      this.#slots[hole] = next
      this.#slots[at] = undefined
      hole = at
    }
  }

  /** As they are now: what happens to them meanwhile changes nothing in it. */
  list(): S[] {
    return this.#slots.filter((stream) => stream !== undefined)
  }

  #place(stream: S): void {
    let at = (stream.id >>> 1) & this.#mask
    while (this.#slots[at] !== undefined) at = (at + 1) & this.#mask
    this.#slots[at] = stream
  }

  #grow(): void {
    const streams = this.list()
    const size = Math.max(8, this.#slots.length * 2)
    this.#slots = Array.from({ length: size }, () => undefined)
    this.#mask = size - 1
    for (const stream of streams) this.#place(stream)
  }
}
