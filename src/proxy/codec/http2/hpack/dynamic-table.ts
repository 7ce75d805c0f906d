// What a decoder remembers of earlier headers (RFC 7541 section 2.3.2): a ring of entries that keep their strings.

/** RFC 7541 section 4.1. */
export const entryOverheadBytes = 32

export class DynamicTable {
  names: string[] = []
  values: string[] = []
  kinds: number[] = []
  count = 0
  #bytes = 0
  #maxBytes: number
  /** Where the next entry goes. */
  #head = 0
  #mask = -1

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Position in the arrays of the entry that came `age` entries before the newest; `age` is below `count`. */
  at(age: number): number {
    return (this.#head - 1 - age) & this.#mask
  }

  add(name: string, value: string, kind: number): void {
    const bytes = name.length + value.length + entryOverheadBytes
    this.#evictTo(this.#maxBytes - bytes)
    // RFC 7541 section 4.4: what is larger than the table empties it.
    if (bytes > this.#maxBytes) return
    if (this.count > this.#mask) this.#grow()
    this.names[this.#head] = name
    this.values[this.#head] = value
    this.kinds[this.#head] = kind
    this.#head = (this.#head + 1) & this.#mask
    this.count++
    this.#bytes += bytes
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes
    this.#evictTo(maxBytes)
  }

  #evictTo(bytes: number): void {
    while (this.#bytes > bytes && this.count > 0) {
      const oldest = this.at(this.count - 1)
      const name = this.names[oldest] as string
      const value = this.values[oldest] as string
      this.#bytes -= name.length + value.length + entryOverheadBytes
      this.names[oldest] = ''
      this.values[oldest] = ''
      this.count--
    }
  }

  #grow(): void {
    const size = Math.max(16, this.names.length * 2)
    const order = Array.from({ length: this.count }, (_, back) => this.at(this.count - 1 - back))
    const rest = size - this.count
    this.names = [...order.map((at) => this.names[at] as string), ...Array.from({ length: rest }, () => '')]
    this.values = [...order.map((at) => this.values[at] as string), ...Array.from({ length: rest }, () => '')]
    this.kinds = [...order.map((at) => this.kinds[at] as number), ...Array.from({ length: rest }, () => 0)]
    this.#head = this.count
    this.#mask = size - 1
  }
}
