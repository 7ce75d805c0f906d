import { expect, it } from 'vitest'

import { ManualClock } from '../kit/manual-clock.ts'
import { until } from '../kit/until.ts'
import { MemoryProxy } from './memory-proxy.ts'

it('a head that comes byte by byte is refused in the end, and counted', async () => {
  const clock = new ManualClock()
  const proxy = await MemoryProxy.start(clock)
  const caller = proxy.connect()
  let answer = ''
  caller.handler = {
    onData: (bytes) => void (answer += Buffer.from(bytes).toString('latin1')),
    onEnd() {},
    onClose() {},
    onDrain() {},
  }
  for (const letter of 'GET / HTTP/1.1\r\nHost: a') {
    caller.write(Buffer.from(letter))
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(5_000)
  }
  await until('an answer', () => answer.includes('\r\n\r\n'))
  expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  expect(proxy.refused).toEqual(['the request head took too long'])
  await proxy.stop()
})

it('a connection on which nothing is said is not kept for ever', async () => {
  const clock = new ManualClock()
  const proxy = await MemoryProxy.start(clock)
  const caller = proxy.connect()
  clock.advance(3_700_000)
  await until('the end', () => caller.closed)
  await proxy.stop()
})
