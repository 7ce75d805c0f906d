// A request line on connections in memory, with an application that answers what it can read: quick enough for thousands of inputs.
import type { Clock } from '../../src/core/clock.ts'
import type { Connection, IoBackend } from '../../src/proxy/io/connection.ts'
import { MemoryConnection } from '../kit/memory-connection.ts'
import { clusterOf, configOf, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { readRequests } from './strict-reader.ts'

export interface Said {
  /** Latin-1. */
  readonly answer: string
  /** What the application got, by connection. */
  readonly received: readonly string[]
  readonly exchanges: TestLine['exchanges']
}

export class MemoryProxy {
  readonly #test: TestLine
  readonly #application: Application
  readonly #accept: (connection: Connection) => void

  private constructor(test: TestLine, application: Application, accept: (connection: Connection) => void) {
    this.#test = test
    this.#application = application
    this.#accept = accept
  }

  static async start(clock?: Clock): Promise<MemoryProxy> {
    const application = new Application()
    const listening: { accept: (connection: Connection) => void } = { accept() {} }
    const io: IoBackend = {
      name: 'memory',
      listen: (_, onConnection) => {
        listening.accept = onConnection
        const address = { host: '127.0.0.1', port: 1 }
        return Promise.resolve({ address, handle: { fd: -1 }, close: () => Promise.resolve() })
      },
      connect: () => Promise.resolve(application.connect()),
      secure: () => Promise.reject(new Error('no TLS here')),
    }
    const config = configOf({
      listeners: [listenerOn(1, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', [{ port: 2 }])],
    })
    const test = await startLine(config, { io, ...(clock === undefined ? {} : { clock }) })
    return new MemoryProxy(test, application, (connection) => listening.accept(connection))
  }

  /** Reasons why connections never became a request. */
  get refused(): readonly string[] {
    return this.#test.refused
  }

  /** The caller's end of a new connection. */
  connect(): MemoryConnection {
    const [caller, accepted] = MemoryConnection.pair()
    this.#accept(accepted)
    return caller
  }

  /** Sends the pieces one after the other, then ends the caller's side. */
  async say(pieces: readonly Buffer[]): Promise<Said> {
    const caller = this.connect()
    this.#application.received.length = 0
    this.#test.exchanges.length = 0
    let answer = ''
    caller.handler = {
      onData: (bytes) => void (answer += Buffer.from(bytes).toString('latin1')),
      onEnd: () => caller.destroy(),
      onClose() {},
      onDrain() {},
    }
    for (const piece of pieces) {
      caller.write(Buffer.from(piece))
      await quiet()
    }
    caller.end()
    for (let turn = 0; turn < 4; turn++) await quiet()
    caller.destroy()
    await quiet()
    return { answer, received: this.#application.received, exchanges: this.#test.exchanges }
  }

  stop(): Promise<void> {
    return this.#test.line.stop()
  }
}

class Application {
  readonly received: string[] = []

  connect(): Connection {
    const [near, far] = MemoryConnection.pair()
    let text = ''
    let answered = 0
    let index = -1
    far.handler = {
      onData: (bytes) => {
        if (this.received[index] !== text) {
          // Another input has begun: what came for the one before was complete, or the connection would be gone.
          text = ''
          answered = 0
          index = this.received.push('') - 1
        }
        text += Buffer.from(bytes).toString('latin1')
        this.received[index] = text
        const { requests } = readRequests(text)
        for (; answered < requests.length; answered++) {
          far.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
        }
      },
      onEnd: () => far.destroy(),
      onClose() {},
      onDrain() {},
    }
    return near
  }
}

/** Everything that was under way has happened: bytes in memory take a microtask. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
