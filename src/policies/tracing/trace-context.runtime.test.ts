// Whose trace a request belongs to, and what the next hop is told, as W3C Trace Context and B3 have it.
import { describe, expect, it } from 'vitest'

import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { beginTrace, markTrace, newSpanId } from './trace-context.runtime.ts'

const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
const span = '00f067aa0ba902b7'
const random = createRandom(7)

function begin(headers: HeaderList, share = 0) {
  return beginTrace(headers, share, random)
}

describe('traceparent', () => {
  it('has the hop join the trace, with a span of its own', () => {
    const headers = HeaderList.of(['traceparent', `00-${trace}-${span}-01`], ['tracestate', 'a=1'])
    const context = begin(headers)
    expect(context).toMatchObject({ traceId: trace, parentSpanId: span, sampled: true, traceState: 'a=1' })
    expect(context.spanId).toMatch(/^[0-9a-f]{16}$/)
    markTrace(headers, context, context.spanId)
    expect(headers.get('traceparent')).toBe(`00-${trace}-${context.spanId}-01`)
    expect(headers.get('tracestate')).toBe('a=1')
    expect(headers.has('b3')).toBe(false)
  })

  it('is obeyed when it says that nobody samples, and goes on as it is', () => {
    const context = begin(HeaderList.of(['traceparent', `00-${trace}-${span}-00`]), 1)
    expect(context).toMatchObject({ traceId: trace, parentSpanId: span, sampled: false, passedOn: true })
    expect(context.spanId).toMatch(/^[0-9a-f]{16}$/)
    expect(context.spanId).toBe(context.spanId)
    expect(context.spanId).not.toBe(span)
  })

  it('whose ids are none goes on as it is too, and what is told of it has others', () => {
    const context = begin(HeaderList.of(['traceparent', `00-${trace.toUpperCase()}-${span}-00`]))
    expect(context).toMatchObject({ parentSpanId: undefined, sampled: false, passedOn: true })
    expect(context.traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(context.traceId).toBe(context.traceId)
  })

  it('is told to the next hop where this one begins the trace, sampled or not', () => {
    expect(begin(new HeaderList())).toMatchObject({ sampled: false, passedOn: false })
    expect(begin(HeaderList.of(['b3', '0']))).toMatchObject({ sampled: false, passedOn: false })
  })

  it('of a later version is read as far as it is known', () => {
    expect(begin(HeaderList.of(['traceparent', `cc-${trace}-${span}-01-more`])).traceId).toBe(trace)
  })

  it.each([
    ['another form', 'abc'],
    ['the version that is none', `ff-${trace}-${span}-01`],
    ['more than version 00 has', `00-${trace}-${span}-01-x`],
    ['upper case', `00-${trace.toUpperCase()}-${span}-01`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${span}-01`],
    ['a span of zeros', `00-${trace}-${'0'.repeat(16)}-01`],
    ['two of them', `00-${trace}-${span}-01, 00-${trace}-${span}-01`],
  ])('with %s begins a new trace, and ends the state of the old one', (_, value) => {
    const headers = HeaderList.of(['traceparent', value], ['tracestate', 'a=1'])
    const context = begin(headers, 1)
    expect(context.traceId).not.toBe(trace)
    expect(context).toMatchObject({ parentSpanId: undefined, sampled: true })
    markTrace(headers, context, context.spanId)
    expect(headers.has('tracestate')).toBe(false)
  })
})

describe('B3', () => {
  it('in one header goes on in one header, beside traceparent', () => {
    const headers = HeaderList.of(['b3', `${trace}-${span}-1-05e3ac9a4f6e3b90`])
    const context = begin(headers)
    expect(context).toMatchObject({ traceId: trace, parentSpanId: span, sampled: true })
    markTrace(headers, context, context.spanId)
    expect(headers.get('b3')).toBe(`${trace}-${context.spanId}-1`)
    expect(headers.get('traceparent')).toBe(`00-${trace}-${context.spanId}-01`)
  })

  it('in parts goes on in parts, and its short ids are filled up', () => {
    const headers = HeaderList.of(
      ['X-B3-TraceId', 'a3ce929d0e0e4736'],
      ['X-B3-SpanId', span],
      ['X-B3-ParentSpanId', '05e3ac9a4f6e3b90'],
      ['X-B3-Sampled', '0'],
    )
    const context = begin(headers, 1)
    expect(context).toMatchObject({ traceId: `${'0'.repeat(16)}a3ce929d0e0e4736`, sampled: false })
    markTrace(headers, context, context.spanId)
    expect(headers.get('x-b3-spanid')).toBe(context.spanId)
    expect(headers.get('x-b3-sampled')).toBe('0')
    expect(headers.has('x-b3-parentspanid')).toBe(false)
  })

  it('may say no more than whether to sample', () => {
    expect(begin(HeaderList.of(['b3', '0']), 1).sampled).toBe(false)
    expect(begin(HeaderList.of(['b3', 'd']), 0).sampled).toBe(true)
    expect(begin(HeaderList.of(['x-b3-flags', '1']), 0).sampled).toBe(true)
  })

  it('that makes no sense begins a new trace', () => {
    for (const b3 of ['', 'x', `${trace}-x-1`, `${'0'.repeat(32)}-${span}-1`, trace])
      expect(begin(HeaderList.of(['b3', b3])).parentSpanId).toBeUndefined()
  })

  it('gives way to traceparent', () => {
    const headers = HeaderList.of(['traceparent', `00-${trace}-${span}-01`], ['b3', `${span}${span}-${span}-0`])
    expect(begin(headers)).toMatchObject({ traceId: trace, sampled: true })
  })
})

describe('callers that have no say', () => {
  it.each([
    ['traceparent', `00-${trace}-${span}-01`, `00-${trace}-${span}-00`],
    ['b3', `${trace}-${span}-1`, `${trace}-${span}-0`],
  ])('begin traces, and do not decide with %s whether they are sampled', (name, wanted, unwanted) => {
    const never = HeaderList.of([name, wanted])
    const context = beginTrace(never, 0, random, true)
    expect(context).toMatchObject({ traceId: trace, parentSpanId: span, sampled: false, passedOn: false })
    markTrace(never, context, context.spanId)
    expect(never.get('traceparent')).toBe(`00-${trace}-${context.spanId}-00`)
    expect(beginTrace(HeaderList.of([name, unwanted]), 1, random, true)).toMatchObject({
      traceId: trace,
      sampled: true,
    })
  })
})

describe('a trace that begins here', () => {
  it('is sampled as often as is said', () => {
    let sampled = 0
    for (let i = 0; i < 20_000; i++) if (begin(new HeaderList(), 0.1).sampled) sampled++
    expect(sampled / 20_000).toBeCloseTo(0.1, 1)
    expect(begin(new HeaderList(), 0).sampled).toBe(false)
    expect(begin(new HeaderList(), 1).sampled).toBe(true)
  })

  it('has ids that no other has', () => {
    const ids = new Set(Array.from({ length: 10_000 }, () => newSpanId(random)))
    expect(ids.size).toBe(10_000)
  })
})
