// The last streams that closed: late frames on them are no offence when this side did the closing.

const remembered = 64

export class ClosedStreams {
  /** By id: positive when it closed in the ordinary way, negative when this side reset it. */
  #ids: Int32Array | undefined

  add(id: number, resetHere: boolean): void {
    const ids = (this.#ids ??= new Int32Array(remembered))
    ids[(id >>> 1) % remembered] = resetHere ? -id : id
  }

  find(id: number): 'reset-here' | 'closed' | undefined {
    const found = this.#ids?.[(id >>> 1) % remembered]
    if (found === -id) return 'reset-here'
    return found === id ? 'closed' : undefined
  }
}
