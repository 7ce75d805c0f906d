// Requests that can be looked at afterwards: the decision records of their hops, joined by request id and trace id; the newest, bounded in memory.
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { requestIds } from '../../policies/access-log/streamed-record.xds.ts'

export interface KeptRequestsOptions {
  /** Decision records, and the characters of their JSON; the oldest requests go when there are more. */
  readonly mostRecords?: number
  readonly mostCharacters?: number
}

/** All that is known of one request, in the order in which it came. */
export interface KeptRequest {
  /** The request id of its first hop, or else its trace id, or else what only this record has. */
  readonly id: string
  readonly records: readonly DecisionRecord[]
}

interface Kept extends KeptRequest {
  readonly records: DecisionRecord[]
  /** All that its hops are called by. */
  readonly ids: Set<string>
  characters: number
}

/** A caller may give all its requests the same id: so many hops are taken for one request, and then another one begins. */
const mostHops = 256

export class KeptRequests {
  readonly #mostRecords: number
  readonly #mostCharacters: number
  /** Oldest first. */
  readonly #requests = new Set<Kept>()
  readonly #byId = new Map<string, Kept>()
  #records = 0
  #characters = 0

  constructor({ mostRecords = 20_000, mostCharacters = 32 * 1024 * 1024 }: KeptRequestsOptions = {}) {
    this.#mostRecords = mostRecords
    this.#mostCharacters = mostCharacters
  }

  /** One more hop of a request that is kept; of another one nothing is kept. */
  complete(record: DecisionRecord): void {
    if (requestIds(record).some((id) => this.#byId.has(id))) this.add(record)
  }

  add(record: DecisionRecord): void {
    const ids = idsOf(record)
    const [id = ''] = ids
    const kept = this.#join(ids) ?? { id, records: [], ids: new Set<string>(), characters: 0 }
    if (kept.records.some((one) => isSame(one, record))) return
    this.#requests.add(kept)
    const { length } = JSON.stringify(record)
    kept.records.push(record)
    kept.characters += length
    this.#records++
    this.#characters += length
    for (const one of ids) this.#name(kept, one)
    for (const oldest of this.#requests) {
      if (this.#records <= this.#mostRecords && this.#characters <= this.#mostCharacters) break
      this.#forget(oldest)
    }
  }

  /** By request id, by trace id, or by the id that it has in the list. */
  find(id: string): KeptRequest | undefined {
    return this.#byId.get(id)
  }

  /** Newest first. */
  list(): KeptRequest[] {
    return [...this.#requests].toReversed()
  }

  /** One hop may know that two requests are the same. */
  #join(ids: readonly string[]): Kept | undefined {
    const found = new Set(ids.flatMap((id) => this.#byId.get(id) ?? []))
    const [first, ...others] = [...found].filter(({ records }) => records.length < mostHops)
    if (first === undefined) return undefined
    for (const other of others) {
      if (first.records.length + other.records.length >= mostHops) continue
      first.records.push(...other.records)
      first.characters += other.characters
      for (const id of other.ids) this.#name(first, id)
      this.#requests.delete(other)
    }
    return first
  }

  #name(kept: Kept, id: string): void {
    kept.ids.add(id)
    this.#byId.set(id, kept)
  }

  #forget(kept: Kept): void {
    this.#requests.delete(kept)
    this.#records -= kept.records.length
    this.#characters -= kept.characters
    for (const id of kept.ids) if (this.#byId.get(id) === kept) this.#byId.delete(id)
  }
}

/** What a hop is called by; where it has no id, something of its own. */
function idsOf(record: DecisionRecord): readonly string[] {
  const known = requestIds(record)
  return known.length > 0 ? known : [`${record.proxy.replace('/', '.')}.${record.id}`]
}

/** What was told may be told again by whoever is asked about the request. */
function isSame(one: DecisionRecord, { id, proxy, reporter, startMs }: DecisionRecord): boolean {
  return one.id === id && one.startMs === startMs && one.proxy === proxy && one.reporter === reporter
}
