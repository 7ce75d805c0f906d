import { describe, expect, it } from 'vitest'

import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import type { FilterRefusal, FilterResult, ResponsePass } from '../../contracts/http-filter.ts'
import type { ResponseHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { ServerStream } from '../codec/http-stream.ts'
import { FilteredResponse } from './filtered-response.ts'

interface Filters {
  readonly wantedBytes?: number
  readonly passHead?: (head: ResponseHead) => FilterResult | Promise<FilterResult>
  readonly passBody?: (body: string) => string | FilterRefusal
  readonly tooLarge?: FilterRefusal
}

function start({ wantedBytes = 0, passHead = () => undefined, passBody = (body) => body, tooLarge }: Filters) {
  const log: string[] = []
  let takes = true
  const exchange = sampleExchange({ status: 0, responseBytes: 0 })
  const inner = {
    request: exchange.request,
    sendHead: ({ status }: ResponseHead, length: number | 'unknown') => log.push(`${status} ${length}`),
    sendData(bytes: Uint8Array) {
      log.push(Buffer.from(bytes).toString())
      return takes
    },
    sendEnd: () => log.push('end'),
    abort: () => log.push('abort'),
  } as unknown as ServerStream
  const pass: ResponsePass & { response: ResponseHead | undefined } = {
    response: undefined,
    wantedBytes,
    records: [],
    looksAtResponses: true,
    metadata: undefined,
    passHead(passed) {
      pass.response = passed
      return passHead(passed)
    },
    async passBody(whole) {
      const body = passBody(Buffer.from(whole).toString())
      return typeof body === 'string' ? Buffer.from(body) : body
    },
    bodyTooLarge: () => tooLarge,
  }
  const owner = { finish: () => log.push('finish'), filteredDrained: () => log.push('go on') }
  const way = new FilteredResponse(pass, inner, exchange, owner, undefined)
  return { way, log, exchange, full: () => (takes = false) }
}

function headOf(type = 'text/plain', status = 200): ResponseHead {
  return { status, headers: HeaderList.of(['content-type', type]) }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const refusal: FilterRefusal = { status: 500, flags: [], detail: 'no' }

describe('the way back through filters', () => {
  it('holds nothing where nobody waits and no body is wanted', () => {
    const { way, log, exchange } = start({
      passHead(one) {
        one.status = 203
        return undefined
      },
    })
    way.sendHead(headOf(), 6)
    expect(way.sendData(Buffer.from('one'))).toBe(true)
    expect(way.sendData(Buffer.from('two'))).toBe(true)
    way.sendEnd()
    way.finish()
    expect(log).toEqual(['203 6', 'one', 'two', 'end', 'finish'])
    expect(exchange).toMatchObject({ status: 203 })
  })

  it('keeps the order while a filter looks at the head, and has the destination wait', async () => {
    const looking = Promise.withResolvers<undefined>()
    const { way, log } = start({ passHead: () => looking.promise })
    way.sendHead(headOf(), 'unknown')
    expect(way.sendData(Buffer.from('one'))).toBe(false)
    expect(way.sendData(Buffer.from('two'))).toBe(false)
    expect(log).toEqual([])
    looking.resolve(undefined)
    await turn()
    expect(log).toEqual(['200 unknown', 'one', 'two', 'go on'])
    way.sendEnd()
    way.finish()
    expect(log.slice(4)).toEqual(['end', 'finish'])
  })

  it('is over only when what was held has gone', async () => {
    const looking = Promise.withResolvers<undefined>()
    const { way, log } = start({ passHead: () => looking.promise })
    way.sendHead(headOf(), 3)
    way.sendData(Buffer.from('one'))
    way.sendEnd()
    way.finish()
    expect(log).toEqual([])
    looking.resolve(undefined)
    await turn()
    expect(log).toEqual(['200 3', 'one', 'end', 'finish'])
  })

  it('gives a body whole, and sends what it becomes with its length', async () => {
    const { way, log, exchange } = start({ wantedBytes: 10, passBody: (body) => `<${body}>` })
    way.sendHead(headOf(), 'unknown')
    expect(way.sendData(Buffer.from('one'))).toBe(true)
    expect(way.sendData(Buffer.from('two'))).toBe(true)
    way.sendEnd()
    way.finish()
    await turn()
    expect(log).toEqual(['200 8', '<onetwo>', 'end', 'finish'])
    expect(exchange.responseBytes).toBe(8)
  })

  it('lets a body pass that turns out to be too long', () => {
    const { way, log, full } = start({ wantedBytes: 5 })
    way.sendHead(headOf(), 'unknown')
    expect(way.sendData(Buffer.from('one'))).toBe(true)
    full()
    // the caller asks to wait
    expect(way.sendData(Buffer.from('two'))).toBe(false)
    expect(log).toEqual(['200 unknown', 'one', 'two'])
    way.sendData(Buffer.from('three'))
    way.sendEnd()
    way.finish()
    expect(log.slice(3)).toEqual(['three', 'end', 'finish'])
  })

  it.each([
    ['of a declared length', 6],
    ['that has grown', 'unknown'],
  ] as const)('refuses one that is too long, %s', (_, length) => {
    const { way, log, exchange } = start({ wantedBytes: 5, tooLarge: refusal })
    way.sendHead(headOf(), length)
    way.sendData(Buffer.from('one'))
    way.sendData(Buffer.from('two'))
    way.sendEnd()
    way.finish()
    expect(log).toEqual(['500 3', 'no\n', 'end', 'finish'])
    expect(exchange).toMatchObject({ status: 500, responseBytes: 3, detail: 'no' })
  })

  it.each(['text/event-stream', 'application/grpc'])('never holds %s', (type) => {
    const { way, log } = start({ wantedBytes: 100 })
    way.sendHead(headOf(type), 'unknown')
    way.sendData(Buffer.from('one'))
    expect(log).toEqual(['200 unknown', 'one'])
  })

  it.each([101, 204, 304])('holds no response of status %d, which has no body', (status) => {
    const { way, log } = start({ wantedBytes: 100 })
    way.sendHead(headOf('text/plain', status), 0)
    expect(log).toEqual([`${status} 0`])
  })

  it('sends a filter answer in the place of the rest', async () => {
    const { way, log, exchange } = start({
      wantedBytes: 10,
      passBody: () => ({ ...refusal, body: Buffer.from('new') }),
    })
    way.sendHead(headOf(), 3)
    way.sendData(Buffer.from('one'))
    way.sendEnd()
    exchange.responseBytes = 3
    way.finish()
    await turn()
    expect(log).toEqual(['500 3', 'new', 'end', 'finish'])
  })

  it('sends nothing to a caller who is gone, whatever filters say then', async () => {
    const looking = Promise.withResolvers<undefined>()
    const { way, log } = start({ passHead: () => looking.promise })
    way.sendHead(headOf(), 3)
    way.sendData(Buffer.from('one'))
    way.abort(new Error('gone'))
    way.finish()
    looking.resolve(undefined)
    await turn()
    expect(log).toEqual(['abort', 'finish'])
  })
})
