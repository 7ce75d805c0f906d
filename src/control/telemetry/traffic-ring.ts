// Counts of many series over time in little memory: what happened in each slot of time, newest slots only, bounded in bytes.

/** What a count can go to: one for each bucket of a histogram of durations, the last for what has no duration. */
export const countKinds = 16
const kindShift = 28
const greatestCount = 2 ** kindShift - 1
const initialWords = 64
/** A slot of this size is merged before it grows. */
const mergeAtWords = 4_096

interface Slot {
  readonly index: number
  /** Records: series × 16 + number of counts, then each count with its kind in the upper 4 bits. */
  words: Uint32Array
  length: number
}

export interface TrafficRingOptions {
  readonly slotMs: number
  readonly slots: number
  /** Of all slots; the oldest go when there are more. */
  readonly maxWords: number
}

export class TrafficRing {
  readonly #options: TrafficRingOptions
  /** Oldest first. */
  #slots: Slot[] = []
  #words = 0
  /** Slots before were given up for want of room. */
  #firstIndex = 0

  constructor(options: TrafficRingOptions) {
    this.#options = options
  }

  /** `series`: below 2^28. `counts`: by kind; whole numbers. A time before that of the newest slot counts as that. */
  add(atMs: number, series: number, counts: ArrayLike<number>): void {
    const slot = this.#slotAt(Math.floor(atMs / this.#options.slotMs))
    if (slot.length + 1 + countKinds > slot.words.length) this.#makeRoom(slot)
    write(slot, series, counts)
  }

  /** From the start of this time on the ring knows everything that was added. */
  knownSinceMs(nowMs: number): number {
    const { slotMs, slots } = this.#options
    return Math.max(Math.floor(nowMs / slotMs) - slots + 1, this.#firstIndex) * slotMs
  }

  /** Slots that begin in [fromMs, toMs), oldest first. */
  forEach(
    fromMs: number,
    toMs: number,
    visit: (series: number, kind: number, count: number, startMs: number) => void,
  ): void {
    const { slotMs } = this.#options
    for (const slot of this.#slots) {
      const startMs = slot.index * slotMs
      if (startMs < fromMs || startMs >= toMs) continue
      readSlot(slot, (series, kind, count) => visit(series, kind, count, startMs))
    }
  }

  #slotAt(wanted: number): Slot {
    const newest = this.#slots.at(-1)
    if (newest !== undefined && newest.index >= wanted) return newest
    const slot: Slot = { index: wanted, words: new Uint32Array(initialWords), length: 0 }
    this.#words += initialWords
    this.#slots.push(slot)
    this.#forget(wanted - this.#options.slots + 1)
    return slot
  }

  /** A proxy that reports more often than it should takes no more room than others. */
  #makeRoom(slot: Slot): void {
    if (slot.words.length >= mergeAtWords) {
      merge(slot)
      if (slot.length <= slot.words.length / 2) return
    }
    this.#grow(slot)
  }

  #grow(slot: Slot): void {
    const words = new Uint32Array(slot.words.length * 2)
    words.set(slot.words)
    this.#words += slot.words.length
    slot.words = words
    while (this.#words > this.#options.maxWords && this.#slots.length > 1)
      this.#forget((this.#slots[0] as Slot).index + 1)
  }

  #forget(before: number): void {
    const kept = this.#slots.findIndex(({ index }) => index >= before)
    if (kept === 0) return
    for (const { words } of this.#slots.slice(0, kept)) this.#words -= words.length
    this.#slots = this.#slots.slice(kept)
    this.#firstIndex = Math.max(this.#firstIndex, before)
  }
}

function readSlot({ words, length }: Slot, visit: (series: number, kind: number, count: number) => void): void {
  for (let at = 0; at < length;) {
    const head = words[at] as number
    const kinds = head % countKinds || countKinds
    const series = Math.floor(head / countKinds)
    for (let one = 1; one <= kinds; one++) {
      const word = words[at + one] as number
      visit(series, word >>> kindShift, word & greatestCount)
    }
    at += 1 + kinds
  }
}

/** One record for each series. */
function merge(slot: Slot): void {
  const sums = new Map<number, Float64Array>()
  readSlot(slot, (series, kind, count) => {
    let counts = sums.get(series)
    if (counts === undefined) sums.set(series, (counts = new Float64Array(countKinds)))
    counts[kind] = (counts[kind] as number) + count
  })
  slot.length = 0
  for (const [series, counts] of sums) write(slot, series, counts)
}

/** There is room for it. */
function write(slot: Slot, series: number, counts: ArrayLike<number>): void {
  const { words, length: head } = slot
  let kinds = 0
  for (let kind = 0; kind < countKinds; kind++) {
    const count = counts[kind] ?? 0
    if (count <= 0) continue
    words[head + 1 + kinds] = kind * 2 ** kindShift + Math.min(count, greatestCount)
    kinds++
  }
  if (kinds === 0) return
  // a record has at least one count: 16 of them are written as 0
  words[head] = series * countKinds + (kinds % countKinds)
  slot.length = head + 1 + kinds
}
