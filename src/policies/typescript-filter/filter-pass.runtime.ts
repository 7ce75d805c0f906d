// One exchange on its way through TypeScript filters: the request in their order, the response in the other.
import type { FilterRecord } from '../../contracts/decision-record.ts'
import type { FilterAnswer, FilterContext, FilterMetadata, MetadataValue } from '../../contracts/filter.ts'
import type { FilteredBody, FilterRefusal, FilterResult, ResponsePass } from '../../contracts/http-filter.ts'
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { checkedStatus, HeaderDraft, RequestDraft, ResponseDraft } from './head-draft.runtime.ts'
import { failed, type RunningFilter } from './running-filter.runtime.ts'
import type { FilterPhase } from './typescript-filter.spec.ts'

/** What filters may know of an exchange beside its heads. */
export type ExchangeFacts = Pick<FilterContext, 'caller' | 'claims'>

/** A filter that the request has come to. */
interface Passed {
  readonly filter: RunningFilter
  readonly context: ExchangeContext
  /** A call has failed, and the exchange goes on without it. */
  out: boolean
  wantsBody: boolean
}

export class FilterPass implements ResponsePass {
  response: ResponseHead | undefined
  readonly records: FilterRecord[] = []
  looksAtResponses = false
  readonly #facts: ExchangeFacts
  readonly #metadata = new Metadata()
  readonly #passed: Passed[] = []

  constructor(facts: ExchangeFacts) {
    this.#facts = facts
  }

  get metadata(): Readonly<Record<string, MetadataValue>> | undefined {
    return this.#metadata.entries
  }

  /** `head` becomes what the filter makes of it. `body`: absent where there is none that it may look at. */
  passRequest(
    filter: RunningFilter,
    head: RequestHead,
    body: FilteredBody | undefined,
  ): FilterResult | Promise<FilterResult> {
    const { handlers } = filter
    const context = new ExchangeContext(filter, head, this.#facts, this.#metadata)
    const passed: Passed = { filter, context, out: false, wantsBody: handlers.onResponseBody !== undefined }
    const result = handlers.onRequest === undefined ? undefined : this.#requestHead(passed, head)
    if (result instanceof Promise)
      return result
        .then((answer) => answer ?? this.#requestBody(passed, head, body))
        .then((answer) => this.#seen(passed, answer))
    const answer = result ?? this.#requestBody(passed, head, body)
    return answer instanceof Promise ? answer.then((one) => this.#seen(passed, one)) : this.#seen(passed, answer)
  }

  get wantedBytes(): number {
    let most = 0
    for (const { filter, out, wantsBody } of this.#passed)
      if (wantsBody && !out) most = Math.max(most, filter.spec.maxBodyBytes)
    return most
  }

  passHead(head: ResponseHead): FilterResult | Promise<FilterResult> {
    this.response = head
    return this.#responseHeads(this.#passed.length - 1)
  }

  async passBody(whole: Uint8Array): Promise<Uint8Array | FilterRefusal> {
    let body = whole
    for (const passed of this.#passed.toReversed()) {
      const { onResponseBody } = passed.filter.handlers
      if (onResponseBody === undefined || !passed.wantsBody || passed.out) continue
      if (body.length > passed.filter.spec.maxBodyBytes) {
        const refusal = this.#tooLarge(passed, 'response_body', 500)
        if (refusal !== undefined) return refusal
        continue
      }
      const draft = new ResponseDraft(this.response as ResponseHead)
      const result = await passed.filter.call('response_body', () => onResponseBody(body, draft, passed.context))
      draft.close()
      const outcome = this.#outcome(passed, 'response_body', result, draft.changed)
      if (outcome !== undefined) return outcome
      if (result === failed) continue
      this.response = draft.head
      if (isBody(result)) body = bytesOf(result)
    }
    return body
  }

  bodyTooLarge(): FilterResult {
    for (const passed of this.#passed) {
      if (!passed.wantsBody || passed.out) continue
      const refusal = this.#tooLarge(passed, 'response_body', 500)
      if (refusal !== undefined) return refusal
    }
    return undefined
  }

  /** What a filter answers passes only those before it. */
  #seen(passed: Passed, answer: FilterResult): FilterResult {
    if (answer !== undefined) return answer
    this.#passed.push(passed)
    const { onResponse, onResponseBody } = passed.filter.handlers
    if (onResponse !== undefined || onResponseBody !== undefined) this.looksAtResponses = true
    return undefined
  }

  #requestHead(passed: Passed, head: RequestHead): FilterResult | Promise<FilterResult> {
    const { handlers } = passed.filter
    const draft = new RequestDraft(head)
    const result = passed.filter.call('request', () => handlers.onRequest?.(draft, passed.context))
    const passedOn = (value: Awaited<typeof result>): FilterResult => {
      draft.close()
      if (value !== failed) draft.commit(head)
      return this.#outcome(passed, 'request', value, draft.changed)
    }
    return result instanceof Promise ? result.then(passedOn) : passedOn(result)
  }

  #requestBody(
    passed: Passed,
    head: RequestHead,
    body: FilteredBody | undefined,
  ): FilterResult | Promise<FilterResult> {
    if (passed.filter.handlers.onRequestBody === undefined || passed.out || body === undefined) return undefined
    // frames of messages are nothing that an author wants to take apart
    if (head.headers.get('content-type')?.startsWith('application/grpc') === true) return undefined
    return this.#gatherRequest(passed, head, body)
  }

  async #gatherRequest(passed: Passed, head: RequestHead, body: FilteredBody): Promise<FilterResult> {
    const { handlers, spec } = passed.filter
    const most = spec.maxBodyBytes
    if ((body.declaredBytes ?? 0) > most) return this.#tooLarge(passed, 'request_body', 413)
    // one more: to see whether there is more
    const { bytes, complete } = await body.gather(most + 1)
    if (!complete || bytes.length > most) return this.#tooLarge(passed, 'request_body', 413)
    const draft = new RequestDraft(head)
    const result = await passed.filter.call('request_body', () =>
      handlers.onRequestBody?.(bytes, draft, passed.context),
    )
    draft.close()
    if (result !== failed) draft.commit(head)
    if (isBody(result)) {
      const replaced = bytesOf(result)
      body.replace(replaced)
      if (head.headers.has('content-length')) head.headers.set('content-length', String(replaced.length))
    }
    return this.#outcome(passed, 'request_body', result, draft.changed)
  }

  #responseHeads(from: number): FilterResult | Promise<FilterResult> {
    for (let at = from; at >= 0; at--) {
      const result = this.#responseHead(this.#passed[at] as Passed)
      if (result instanceof Promise) return result.then((answer) => answer ?? this.#responseHeads(at - 1))
      if (result !== undefined) return result
    }
    return undefined
  }

  #responseHead(passed: Passed): FilterResult | Promise<FilterResult> {
    const { handlers } = passed.filter
    if (handlers.onResponse === undefined || passed.out) return undefined
    const draft = new ResponseDraft(this.response as ResponseHead)
    const result = passed.filter.call('response', () => handlers.onResponse?.(draft, passed.context))
    const passedOn = (value: Awaited<typeof result>): FilterResult => {
      draft.close()
      if (draft.bodySkipped) passed.wantsBody = false
      if (value !== failed && draft.changed) this.response = draft.head
      return this.#outcome(passed, 'response', value, draft.changed)
    }
    return result instanceof Promise ? result.then(passedOn) : passedOn(result)
  }

  /** What a call means for the exchange, and a note of it. */
  #outcome(passed: Passed, phase: FilterPhase, result: unknown, changed: boolean): FilterResult {
    if (result === failed) return this.#without(passed, phase)
    if (changed || isBody(result)) this.#note(passed, phase, 'changed')
    return isAnswer(result) ? this.#answered(passed, phase, result) : undefined
  }

  #tooLarge(passed: Passed, phase: FilterPhase, status: number): FilterResult {
    passed.filter.tooLarge(phase)
    return this.#without(passed, phase, status, `a body of more than ${passed.filter.spec.maxBodyBytes} bytes`)
  }

  /** The exchange goes on without it, or is refused. */
  #without(passed: Passed, phase: FilterPhase, status = 500, what = 'an error of a filter'): FilterResult {
    passed.out = true
    const { name, onError } = passed.filter.spec
    this.#note(passed, phase, 'failed')
    if (onError === 'Continue') return undefined
    return { status, flags: [], detail: `refused because of ${what}: ${name} says onError: Refuse` }
  }

  /** What is no answer is a failure as any other. */
  #answered(passed: Passed, phase: FilterPhase, answer: FilterAnswer): FilterResult {
    const { filter } = passed
    try {
      const { status, headers = {}, body = '' } = answer
      const bytes = bytesOf(body)
      const lines = new HeaderDraft(new HeaderList())
      if (bytes.length > 0) lines.set('content-type', 'text/plain; charset=utf-8')
      for (const [name, value] of Object.entries(headers)) lines.set(name, value)
      const detail = `answered by ${filter.spec.name}`
      const refusal = { status: checkedStatus(status), flags: [], detail, headers: [...lines].flat(), body: bytes }
      this.#note(passed, phase, 'answered')
      return refusal
    } catch (error) {
      filter.wrongAnswer(phase, error)
      return this.#without(passed, phase)
    }
  }

  #note({ filter }: Passed, phase: FilterPhase, did: FilterRecord['did']): void {
    this.records.push({ filter: filter.spec.name, phase, did })
  }
}

class ExchangeContext implements FilterContext {
  readonly request: RequestHead
  readonly state: Record<string, unknown> = {}
  readonly metadata: FilterMetadata
  readonly #filter: RunningFilter
  readonly #facts: ExchangeFacts

  constructor(filter: RunningFilter, request: RequestHead, facts: ExchangeFacts, metadata: FilterMetadata) {
    this.#filter = filter
    this.request = request
    this.#facts = facts
    this.metadata = metadata
  }

  get caller(): FilterContext['caller'] {
    return this.#facts.caller
  }

  get claims(): FilterContext['claims'] {
    return this.#facts.claims
  }

  count(event: string, value = ''): void {
    this.#filter.meter.event(event, value)
  }

  observe(name: string, value: number): void {
    if (!Number.isFinite(value)) throw new TypeError(`${String(value)} cannot be observed: it is not a number`)
    this.#filter.meter.observed(name, value)
  }
}

const mostEntries = 32
const mostCharacters = 256

class Metadata implements FilterMetadata {
  entries: Record<string, MetadataValue> | undefined
  #count = 0

  get(name: string): MetadataValue | undefined {
    return this.entries !== undefined && Object.hasOwn(this.entries, name) ? this.entries[name] : undefined
  }

  /** Beyond the bounds: cut off, or not kept. */
  set(name: string, value: MetadataValue): void {
    if (!['string', 'number', 'boolean'].includes(typeof value))
      throw new TypeError(`metadata "${name}" must be a text, a number or a boolean`)
    const key = name.slice(0, mostCharacters)
    this.entries ??= Object.create(null) as Record<string, MetadataValue>
    if (!Object.hasOwn(this.entries, key) && ++this.#count > mostEntries) return
    this.entries[key] = typeof value === 'string' ? value.slice(0, mostCharacters) : value
  }
}

function isBody(result: unknown): result is Uint8Array | string {
  return typeof result === 'string' || result instanceof Uint8Array
}

/** Anything else that a filter returns by mistake is nothing. */
function isAnswer(result: unknown): result is FilterAnswer {
  return typeof result === 'object' && result !== null && 'status' in result
}

function bytesOf(body: Uint8Array | string): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : body
}
