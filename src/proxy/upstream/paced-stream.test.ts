import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { ServerStream } from '../codec/http-stream.ts'
import { PacedStream } from './paced-stream.ts'

function paced(bytesPerSecond: number) {
  const clock = new ManualClock()
  const log: string[] = []
  let sentBytes = 0
  let takes = true
  const inner = {
    sendData(bytes: Uint8Array) {
      sentBytes += bytes.length
      return takes
    },
    sendEnd: () => log.push('end'),
    abort: () => log.push('abort'),
  } as unknown as ServerStream
  const owner = { finish: () => log.push('finish'), pacedDrained: () => log.push('drained') }
  const stream = new PacedStream(inner, bytesPerSecond, clock, owner)
  return { clock, log, stream, sentBytes: () => sentBytes, setTakes: (value: boolean) => (takes = value) }
}

describe('a paced stream', () => {
  it('lets bytes go no faster than it may, and ends when all have gone', () => {
    const { clock, log, stream, sentBytes } = paced(10_000)
    expect(stream.sendData(Buffer.alloc(5_000))).toBe(true)
    stream.sendEnd()
    stream.finish()
    for (const [byMs, most] of [
      [0, 500],
      [200, 2_500],
      [200, 4_500],
    ] as const) {
      clock.advance(byMs)
      expect(sentBytes()).toBeLessThanOrEqual(most)
      expect(sentBytes()).toBeGreaterThan(most - 600)
    }
    expect(log).toEqual([])
    clock.advance(200)
    expect(sentBytes()).toBe(5_000)
    expect(log).toEqual(['end', 'finish'])
  })

  it('has the destination wait while much waits here', () => {
    const { clock, log, stream } = paced(100_000)
    expect(stream.sendData(Buffer.alloc(100_000))).toBe(false)
    clock.advance(250)
    expect(log).toEqual([])
    clock.advance(250)
    expect(log).toEqual(['drained'])
  })

  it('waits for a caller that takes no more', () => {
    const { clock, stream, sentBytes, setTakes } = paced(10_000)
    setTakes(false)
    stream.sendData(Buffer.alloc(2_000))
    clock.advance(1_000)
    expect(sentBytes()).toBe(500)
    setTakes(true)
    stream.callerDrained()
    clock.advance(1_000)
    expect(sentBytes()).toBe(2_000)
  })

  it('ends for a caller that takes no more, once nothing waits', () => {
    const { log, stream, setTakes } = paced(10_000)
    setTakes(false)
    stream.sendData(Buffer.alloc(500))
    stream.sendEnd()
    stream.finish()
    expect(log).toEqual(['end', 'finish'])
  })

  it('ends at once after what waited was given up', () => {
    const { clock, log, stream, sentBytes } = paced(10_000)
    stream.sendData(Buffer.alloc(2_000))
    stream.cancel()
    stream.sendEnd()
    stream.finish()
    clock.advance(1_000)
    expect(sentBytes()).toBe(500)
    expect(log).toEqual(['end', 'finish'])
  })

  it('sends nothing after it was given up', () => {
    const { clock, log, stream, sentBytes } = paced(10_000)
    stream.sendData(Buffer.alloc(2_000))
    stream.abort(new Error('lost'))
    stream.finish()
    clock.advance(1_000)
    expect(sentBytes()).toBe(500)
    expect(log).toEqual(['abort', 'finish'])
  })
})
