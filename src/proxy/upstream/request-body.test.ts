// A body that somebody waits to see before it goes on.
import { describe, expect, it } from 'vitest'

import { HeaderList } from '../../core/header-list.ts'
import type { ClientStream } from '../codec/http-stream.ts'
import { replayBytes, RequestBody } from './request-body.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

class Upstream implements ClientStream {
  sent = ''
  trailers: HeaderList | undefined
  ended = false
  pause(): void {}
  resume(): void {}
  abort(): void {}
  sendData(bytes: Uint8Array): boolean {
    this.sent += text(bytes)
    return true
  }
  sendEnd(trailers?: HeaderList): void {
    this.ended = true
    this.trailers = trailers
  }
}

describe('a body is gathered', () => {
  it('until there is enough, then the caller has to wait, and all of it goes on in order', async () => {
    const body = new RequestBody('unknown')
    expect(body.take(Buffer.from('ab'), undefined)).toBe(true)
    const gathered = body.gather(5)
    expect(body.awaited).toBe(true)
    expect(body.take(Buffer.from('cd'), undefined)).toBe(true)
    expect(body.take(Buffer.from('efg'), undefined)).toBe(false)
    expect(body.awaited).toBe(false)
    const { bytes, complete } = await gathered
    expect([text(bytes), complete]).toEqual(['abcdefg', false])

    const upstream = new Upstream()
    body.sendTo(upstream)
    body.take(Buffer.from('h'), upstream)
    body.end(HeaderList.of(['x-sum', '1']))
    body.sendEndTo(upstream)
    expect(upstream.sent).toBe('abcdefgh')
    expect(upstream.trailers?.get('x-sum')).toBe('1')
  })

  it('to its end, and beyond what is kept for a repetition', async () => {
    const body = new RequestBody('unknown')
    const gathered = body.gather(4 * replayBytes)
    for (let i = 0; i < 3; i++) expect(body.take(Buffer.alloc(replayBytes, 97), undefined)).toBe(true)
    body.end(undefined)
    const { bytes, complete } = await gathered
    expect([bytes.length, complete]).toEqual([3 * replayBytes, true])
    expect(body.replayable).toBe(false)
    const upstream = new Upstream()
    body.sendTo(upstream)
    expect(upstream.sent).toBe('a'.repeat(3 * replayBytes))
    expect(upstream.ended).toBe(true)
  })

  it('at once when it is here, and twice by two that wait', async () => {
    const body = new RequestBody('unknown')
    body.take(Buffer.from('abc'), undefined)
    expect(text((await body.gather(2)).bytes)).toBe('abc')
    const more = body.gather(4)
    body.end(undefined)
    expect(await more).toEqual({ bytes: Buffer.from('abc'), complete: true })
  })

  it('by nobody any more once the request is over', async () => {
    const body = new RequestBody('unknown')
    const gathered = body.gather(1)
    body.abandon()
    await expect(gathered).rejects.toThrow('over')
    expect(body.awaited).toBe(false)
  })
})
