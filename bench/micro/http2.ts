// What the HTTP/2 codec costs: client codec and server codec of one process over loopback: `node bench/micro/http2.ts [seconds] [streams]`.
// Prints requests a second and CPU a request of both ends together, kernel included. Every request has headers of its own.
import { systemClock } from '../../src/core/clock.ts'
import { HeaderList } from '../../src/core/header-list.ts'
import type { ClientStreamHandler, ServerStream, ServerStreamHandler } from '../../src/proxy/codec/http-stream.ts'
import { Http2ClientConnection } from '../../src/proxy/codec/http2/client-connection.ts'
import { Http2ServerConnection } from '../../src/proxy/codec/http2/server-connection.ts'
import { createNetBackend } from '../../src/proxy/io/net-backend.ts'

const [seconds = 3, streams = 64] = process.argv.slice(2).map(Number)
const body = Buffer.alloc(200, 'x')
const backend = createNetBackend(systemClock)

class Echo implements ServerStreamHandler {
  readonly #stream: ServerStream

  constructor(stream: ServerStream) {
    this.#stream = stream
  }

  onData(): void {}
  onDrain(): void {}
  onClosed(): void {}

  onEnd(): void {
    const id = this.#stream.request.headers.valueAt(2)
    const headers = new HeaderList(['Content-Type', 'text/plain', 'Server', 'app', 'X-Request-Id', id])
    this.#stream.sendHead({ status: 200, headers }, body.length)
    this.#stream.sendData(body)
    this.#stream.sendEnd()
  }
}

const server = await backend.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
  new Http2ServerConnection(connection, {
    clock: systemClock,
    idleTimeoutMs: 60_000,
    headTimeoutMs: 10_000,
    onStream: (stream) => (stream.handler = new Echo(stream)),
    onRefused: (reason) => console.log(`refused: ${reason}`),
    onClosed() {},
  }).start(new Uint8Array())
})
const connection = await backend.connect({ host: '127.0.0.1', port: server.address.port, timeoutMs: 5_000 })
const client = new Http2ClientConnection(connection, {
  clock: systemClock,
  onIdle() {},
  onCapacity() {},
  onClosed() {},
})

let done = 0
let failed = 0
let running = true

class Caller implements ClientStreamHandler {
  #bytes = 0

  start(): void {
    this.#bytes = 0
    const id = `3f2b6c1e-0000-4000-8000-${`${done}`.padStart(12, '0')}`
    const lines = ['User-Agent', 'bench/1.0', 'Accept', '*/*', 'X-Request-Id', id]
    lines.push('Traceparent', `00-00000000000000000000${`${done}`.padStart(12, '0')}-0000000000000001-01`)
    const path = `/api/items/${done % 500}`
    const head = { method: 'GET', scheme: 'http', authority: 'app:8080', path, headers: new HeaderList(lines) } as const
    client.send({ head, length: 0, upgrade: undefined }, this)
  }

  onInformational(): void {}
  onHead(): void {}
  onDrain(): void {}

  onData(bytes: Uint8Array): void {
    this.#bytes += bytes.length
  }

  onEnd(): void {
    if (this.#bytes !== body.length) failed++
    done++
    if (running) this.start()
  }

  onFailed(): void {
    failed++
  }
}

await new Promise((resolve) => setTimeout(resolve, 50))
for (let i = 0; i < streams; i++) new Caller().start()
await new Promise((resolve) => setTimeout(resolve, 1000))
const cpu = process.cpuUsage()
const [startMs, startDone] = [performance.now(), done]
await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
const { user, system } = process.cpuUsage(cpu)
const count = done - startDone
const perSecond = (count / (performance.now() - startMs)) * 1000
running = false
console.log(
  `${streams} streams: ${perSecond.toFixed(0)} requests/s, CPU ${((user + system) / count).toFixed(2)} us a request ` +
    `(user ${(user / count).toFixed(2)}, system ${(system / count).toFixed(2)}), ${failed} failed`,
)
client.close()
await server.close()
