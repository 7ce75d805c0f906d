// When a connection ends that is told to drain.
import { expect, it } from 'vitest'

import { ManualClock } from '../../../../test/kit/manual-clock.ts'
import { MemoryConnection } from '../../../../test/kit/memory-connection.ts'
import { HeaderList } from '../../../core/header-list.ts'
import type { ServerStream } from '../http-stream.ts'
import { Http1ServerConnection } from './server-connection.ts'

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

it('a drain that begins after the head of a response ends the connection soon after its body', async () => {
  const clock = new ManualClock()
  const [near, far] = MemoryConnection.pair()
  let stream: ServerStream | undefined
  let ended = false
  far.handler = { onData() {}, onEnd: () => (ended = true), onClose() {}, onDrain() {} }
  const connection = new Http1ServerConnection(near, {
    clock,
    idleTimeoutMs: 3_600_000,
    headTimeoutMs: 60_000,
    onStream: (next) => (stream = next),
    onRefused() {},
    onClosed() {},
  })
  connection.start(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
  stream?.sendHead({ status: 200, headers: new HeaderList() }, 2)
  connection.drain(1_000)
  stream?.sendData(Buffer.from('ok'))
  stream?.sendEnd()
  clock.advance(999)
  await settle()
  expect(ended).toBe(false)
  clock.advance(1)
  await settle()
  expect(ended).toBe(true)
})
