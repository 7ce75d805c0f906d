// The header lines of one message, in wire order, as one flat array: name, value, name, value. Lookup ignores case.

/** Values of one name are joined with ", " by `get`, as RFC 9110 section 5.3 allows for list headers. */
export class HeaderList {
  readonly #lines: string[]

  constructor(lines: string[] = []) {
    this.#lines = lines
  }

  static of(...pairs: readonly (readonly [name: string, value: string])[]): HeaderList {
    return new HeaderList(pairs.flat())
  }

  /** Number of lines. */
  get size(): number {
    return this.#lines.length / 2
  }

  nameAt(line: number): string {
    return this.#lines[line * 2] as string
  }

  valueAt(line: number): string {
    return this.#lines[line * 2 + 1] as string
  }

  /** The value, joined with ", " when the name occurs more than once; undefined when absent. */
  get(name: string): string | undefined {
    const lines = this.#lines
    let found: string | undefined
    for (let i = 0; i < lines.length; i += 2) {
      if (!sameName(lines[i] as string, name)) continue
      found = found === undefined ? (lines[i + 1] as string) : `${found}, ${lines[i + 1]}`
    }
    return found
  }

  has(name: string): boolean {
    const lines = this.#lines
    for (let i = 0; i < lines.length; i += 2) if (sameName(lines[i] as string, name)) return true
    return false
  }

  /** Replaces every line of that name by one, at the place of the first; appends when absent. */
  set(name: string, value: string): void {
    const lines = this.#lines
    for (let i = 0; i < lines.length; i += 2) {
      if (!sameName(lines[i] as string, name)) continue
      lines[i] = name
      lines[i + 1] = value
      this.#deleteFrom(i + 2, name)
      return
    }
    lines.push(name, value)
  }

  add(name: string, value: string): void {
    this.#lines.push(name, value)
  }

  delete(name: string): void {
    this.#deleteFrom(0, name)
  }

  clone(): HeaderList {
    return new HeaderList(this.#lines.slice())
  }

  *[Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    for (let i = 0; i < this.#lines.length; i += 2) yield [this.#lines[i] as string, this.#lines[i + 1] as string]
  }

  #deleteFrom(start: number, name: string): void {
    const lines = this.#lines
    let to = start
    for (let i = start; i < lines.length; i += 2) {
      if (sameName(lines[i] as string, name)) continue
      if (to !== i) {
        lines[to] = lines[i] as string
        lines[to + 1] = lines[i + 1] as string
      }
      to += 2
    }
    lines.length = to
  }
}

function sameName(a: string, b: string): boolean {
  return a === b || (a.length === b.length && a.toLowerCase() === b.toLowerCase())
}
