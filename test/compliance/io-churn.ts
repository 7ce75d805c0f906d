// What every I/O back end owes to a process that lives long: nothing is left of connections that are gone.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import type { Connection, ConnectionHandler } from '../../src/proxy/io/connection.ts'
import { until } from '../kit/until.ts'
import { bytesOf, host, type IoPairs } from './io-pairs.ts'

const long = process.env['HEDDLE_LONG'] !== undefined
const atOnce = 50

export function describeChurn(pairs: IoPairs): void {
  const { io } = pairs
  describe(`${io.name}, many connections`, () => {
    it('leaves nothing of them behind', { timeout: 300_000 }, async () => {
      await churn(5_000)
      const before = measure()
      await churn(long ? 100_000 : 20_000)
      check(before)
    })

    it('leaves nothing of secured ones behind', { timeout: 300_000 }, async () => {
      await churnSecured(200)
      const before = measure()
      await churnSecured(long ? 5_000 : 600)
      check(before)
    })

    it('leaves nothing of handshakes that failed behind', { timeout: 300_000 }, async () => {
      const failing = { ...pairs.near, peerSpiffeIds: [] }
      await churnSecured(100, failing)
      const before = measure()
      await churnSecured(300, failing)
      check(before)
    })
  })

  async function churn(count: number): Promise<void> {
    let closed = 0
    const socket = await io.listen({ host, port: 0 }, (connection) => {
      connection.handler = new Echo(connection, () => closed++)
    })
    const { port } = socket.address
    let started = 0
    const run = async (): Promise<void> => {
      while (started++ < count) {
        const connection = await io.connect({ host, port, timeoutMs: 5_000 })
        await exchange(connection)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, run))
    await until('all to close', () => closed === count)
    await socket.close()
  }

  async function serve(connection: Connection, head: Buffer, onGone: () => void): Promise<void> {
    try {
      const secured = await io.secure(connection, head, pairs.far, 5_000)
      secured.handler = new Echo(secured, onGone)
    } catch {
      onGone()
    }
  }

  async function churnSecured(count: number, tls = pairs.near): Promise<void> {
    let closed = 0
    const gone = (): void => void closed++
    const socket = await io.listen({ host, port: 0 }, (connection) => {
      connection.handler = {
        onData(head) {
          void serve(connection, Buffer.from(head), gone)
        },
        onEnd() {},
        onClose() {},
        onDrain() {},
      }
    })
    const { port } = socket.address
    let started = 0
    const run = async (): Promise<void> => {
      while (started++ < count) {
        try {
          await exchange(await io.connect({ host, port, timeoutMs: 5_000, tls }))
        } catch {
          // Where it is to fail.
        }
      }
    }
    await Promise.all(Array.from({ length: 10 }, run))
    await until('all to close', () => closed === count)
    await socket.close()
  }
}

class Echo implements ConnectionHandler {
  readonly #connection: Connection
  readonly #onGone: () => void

  constructor(connection: Connection, onGone: () => void) {
    this.#connection = connection
    this.#onGone = onGone
  }

  onData(bytes: Uint8Array): void {
    this.#connection.write(Buffer.from(bytes))
  }

  onEnd(): void {
    this.#connection.end()
  }

  onClose(): void {
    this.#onGone()
  }

  onDrain(): void {}
}

/** Says something, hears it again, and leaves. */
function exchange(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.handler = {
      onData: () => connection.end(),
      onEnd() {},
      onClose: (error) => (error === undefined ? resolve() : reject(error)),
      onDrain() {},
    }
    connection.write(bytesOf('hello'))
  })
}

interface Measured {
  readonly heapBytes: number
  readonly rssBytes: number
  readonly sockets: number
}

function measure(): Measured {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let round = 0; round < 3; round++) collect()
  const { heapUsed, external, rss } = process.memoryUsage()
  const sockets = process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length
  return { heapBytes: heapUsed + external, rssBytes: rss, sockets }
}

function check(before: Measured): void {
  const after = measure()
  assert.equal(after.sockets, before.sockets)
  assert.ok(after.heapBytes - before.heapBytes < 3_000_000, `heap: ${before.heapBytes} to ${after.heapBytes}`)
  // The allocator keeps much for itself: this sees only a leak of kilobytes a connection, the heap the small ones.
  assert.ok(after.rssBytes - before.rssBytes < 160_000_000, `RSS: ${before.rssBytes} to ${after.rssBytes}`)
}
