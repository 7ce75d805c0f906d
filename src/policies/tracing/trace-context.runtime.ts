// The context of a trace as it travels in headers: W3C Trace Context (traceparent, tracestate) and B3, single and in parts.
import type { HeaderList } from '../../core/header-list.ts'
import { type Random, randomHexadecimal } from '../../core/random.ts'

/** Of one hop. Ids in lower-case hexadecimal digits. */
export interface TraceContext {
  readonly traceId: string
  /** Of the hop itself: the parent of what comes behind it. */
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly sampled: boolean
  /** What the caller speaks besides, and is told on to the next. */
  readonly b3: 'single' | 'multi' | undefined
  readonly traceState: string | undefined
  /** Nobody samples it, and the next hop is told what the caller has said: its parent is the caller, not this hop (W3C Trace Context §4.3). */
  readonly passedOn: boolean
}

interface Received {
  /** Undefined: only whether it is sampled was said. */
  readonly traceId: string | undefined
  readonly parentSpanId: string | undefined
  /** Undefined: it was left to us. */
  readonly sampled: boolean | undefined
  readonly b3: TraceContext['b3']
}

/** "{version}-{trace}-{parent}-{flags}"; a later version may have more behind another "-" (W3C Trace Context §3.2). */
const traceparentFormat = /^(?!ff|00.{53}-)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/
const traceparentLength = 55
const dash = 0x2d
/** The last bit of a traceparent's flags says whether it is sampled. */
const evenDigits = '02468ace'
const traceIdFormat = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/
const spanIdFormat = /^[0-9a-f]{16}$/
const zeroTrace = '0'.repeat(32)
const zeroSpan = '0'.repeat(16)

/** 0 to 1; asked only where nobody has decided before. */
export type SamplingShare = number | (() => number)

/** The trace that the request belongs to, or a new one, which is sampled at that share; so is the other where callers have no say. */
export function beginTrace(
  headers: HeaderList,
  samplingShare: SamplingShare,
  random: Random,
  ignoresCallers = false,
): TraceContext {
  const text = headers.get('traceparent')
  if (text !== undefined && !ignoresCallers && isUnsampled(text)) return new PassedOnContext(text, random)
  // what is not understood is as if it were not there
  const traceparent = text !== undefined && traceparentFormat.test(text) ? text : undefined
  const caller = traceparent === undefined ? (fromB3(headers) ?? fromB3Parts(headers)) : fromTraceparent(traceparent)
  const decided = ignoresCallers ? undefined : caller?.sampled
  // a state belongs to the traceparent that it came with
  const traceState = caller !== undefined && caller.b3 === undefined ? headers.get('tracestate') : undefined
  return {
    traceId: caller?.traceId ?? newTraceId(random),
    spanId: newSpanId(random),
    parentSpanId: caller?.parentSpanId,
    sampled: decided ?? isSampled(samplingShare, random),
    b3: caller?.b3,
    traceState,
    passedOn: false,
  }
}

/** Most requests are of this kind: what only those need that are told of is made, and looked at, when it is asked for. */
class PassedOnContext implements TraceContext {
  readonly sampled = false
  readonly b3 = undefined
  readonly traceState = undefined
  readonly passedOn = true
  readonly #traceparent: string
  readonly #random: Random
  #received: Received | undefined
  #spanId: string | undefined

  constructor(traceparent: string, random: Random) {
    this.#traceparent = traceparent
    this.#random = random
  }

  get traceId(): string {
    return this.#caller.traceId as string
  }

  get parentSpanId(): string | undefined {
    return this.#caller.parentSpanId
  }

  get spanId(): string {
    return (this.#spanId ??= newSpanId(this.#random))
  }

  /** Whose ids are none is told of by another. */
  get #caller(): Received {
    return (this.#received ??= traceparentFormat.test(this.#traceparent)
      ? fromTraceparent(this.#traceparent)
      : { traceId: newTraceId(this.#random), parentSpanId: undefined, sampled: false, b3: undefined })
  }
}

function isSampled(share: SamplingShare, random: Random): boolean {
  return random.next() < (typeof share === 'number' ? share : share())
}

function newTraceId(random: Random): string {
  return randomHexadecimal(random, 4)
}

export function newSpanId(random: Random): string {
  return randomHexadecimal(random, 2)
}

/** Tells the next hop, whose parent is `spanId`. */
export function markTrace(headers: HeaderList, context: TraceContext, spanId: string): void {
  const { traceId, sampled, b3, traceState } = context
  headers.set('traceparent', `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`)
  if (traceState === undefined && headers.has('tracestate')) headers.delete('tracestate')
  if (b3 === 'single') headers.set('b3', `${traceId}-${spanId}-${sampled ? '1' : '0'}`)
  if (b3 !== 'multi') return
  headers.set('x-b3-traceid', traceId)
  headers.set('x-b3-spanid', spanId)
  headers.delete('x-b3-parentspanid')
  headers.set('x-b3-sampled', sampled ? '1' : '0')
}

/** As its form and its last digit say; its ids may be anything. */
function isUnsampled(traceparent: string): boolean {
  return (
    traceparent.length === traceparentLength &&
    traceparent.charCodeAt(35) === dash &&
    traceparent.charCodeAt(52) === dash &&
    evenDigits.includes(traceparent.charAt(54))
  )
}

/** Of one that has the format. */
function fromTraceparent(text: string): Received {
  const sampled = !evenDigits.includes(text.charAt(54))
  return { traceId: text.slice(3, 35), parentSpanId: text.slice(36, 52), sampled, b3: undefined }
}

/** "{trace}-{span}[-{sampled}[-{parent}]]", or a decision alone. */
function fromB3(headers: HeaderList): Received | undefined {
  const text = headers.get('b3')
  if (text === undefined) return undefined
  const [traceId = '', spanId = '', sampled] = text.split('-')
  const decided = b3Decision(text)
  if (decided !== undefined) return { traceId: undefined, parentSpanId: undefined, sampled: decided, b3: 'single' }
  return received(traceId, spanId, b3Decision(sampled), 'single')
}

function fromB3Parts(headers: HeaderList): Received | undefined {
  const sampled = headers.get('x-b3-flags') === '1' ? true : b3Decision(headers.get('x-b3-sampled'))
  const traceId = headers.get('x-b3-traceid')
  if (traceId !== undefined) return received(traceId, headers.get('x-b3-spanid') ?? '', sampled, 'multi')
  return sampled === undefined ? undefined : { traceId: undefined, parentSpanId: undefined, sampled, b3: 'multi' }
}

function received(
  traceId: string,
  parentSpanId: string,
  sampled: boolean | undefined,
  b3: 'single' | 'multi',
): Received | undefined {
  if (!traceIdFormat.test(traceId) || !spanIdFormat.test(parentSpanId)) return undefined
  const whole = traceId.padStart(32, '0')
  if (whole === zeroTrace || parentSpanId === zeroSpan) return undefined
  return { traceId: whole, parentSpanId, sampled, b3 }
}

function b3Decision(text: string | undefined): boolean | undefined {
  if (text === '1' || text === 'd' || text === 'true') return true
  return text === '0' || text === 'false' ? false : undefined
}
