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

interface Called {
  readonly clock: ManualClock
  readonly near: MemoryConnection
  readonly far: MemoryConnection
  readonly streams: ServerStream[]
  readonly refused: string[]
  readonly connection: Http1ServerConnection
}

function called(request: string): Called {
  const clock = new ManualClock()
  const [near, far] = MemoryConnection.pair()
  const streams: ServerStream[] = []
  const refused: string[] = []
  const connection = new Http1ServerConnection(near, {
    clock,
    idleTimeoutMs: 3_600_000,
    headTimeoutMs: 60_000,
    onStream: (stream) => streams.push(stream),
    onRefused: (reason) => refused.push(reason),
    onClosed() {},
  })
  connection.start(Buffer.from(request))
  return { clock, near, far, streams, refused, connection }
}

function answer(stream: ServerStream | undefined): void {
  stream?.sendHead({ status: 200, headers: new HeaderList() }, 2)
  stream?.sendData(Buffer.from('ok'))
  stream?.sendEnd()
}

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

it('a caller that ended its side has so long for each request that it sent before', async () => {
  const { clock, near, far, streams } = called(get + get)
  far.end()
  await settle()
  answer(streams[0])
  await settle()
  expect(streams).toHaveLength(2)
  clock.advance(1_999)
  await settle()
  expect(near.closed).toBe(false)
  clock.advance(1)
  await settle()
  expect(near.closed).toBe(true)
})

it('a caller that does not read the end of an answer is waited for, but not for ever', async () => {
  for (const request of [get, get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')]) {
    const { clock, near, streams, refused } = called(request)
    near.write = () => false
    answer(streams[0])
    await settle()
    clock.advance(299_000)
    await settle()
    expect(near.closed).toBe(false)
    clock.advance(3_000)
    await settle()
    expect(near.closed).toBe(true)
    expect(refused).toEqual(['the peer has not read for too long'])
  }
})

it('a caller that reads the end of an answer slowly gets all of it', async () => {
  const { clock, near, streams, refused } = called(get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
  near.write = () => false
  answer(streams[0])
  await settle()
  clock.advance(60_000)
  await settle()
  expect(near.closed).toBe(false)
  near.handler.onDrain()
  clock.advance(2_000)
  await settle()
  expect(near.closed).toBe(true)
  expect(refused).toEqual([])
})
