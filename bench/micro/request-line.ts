// The cost of one HTTP/1.1 request in the request line alone: no sockets, one caller, an upstream that answers at once. `node bench/micro/request-line.ts [requests]`
import { BatchedWork } from '../../src/core/batched-work.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { MetricRegistry } from '../../src/core/metrics/metric-registry.ts'
import { createSystemRandom } from '../../src/core/random.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { LimitBuckets } from '../../src/policies/rate-limit/limit-buckets.runtime.ts'
import type { Connection, ConnectionHandler, IoBackend } from '../../src/proxy/io/connection.ts'
import type { OutputBuffer } from '../../src/proxy/io/output-buffer.ts'
import { createJwksSource } from '../../src/proxy/jwks/jwks-source.ts'
import { createRequestLine } from '../../src/proxy/request-line.ts'
import { composeSinks } from '../../src/proxy/telemetry/compose-sinks.ts'
import { createRecordSink } from '../../src/proxy/telemetry/decision-records.ts'
import { HeldRecords, HoldingLimit } from '../../src/proxy/telemetry/held-records.ts'
import { PlaintextCallers } from '../../src/proxy/telemetry/plaintext-callers.ts'
import { ProxyMetrics } from '../../src/proxy/telemetry/proxy-metrics.ts'
import { Tap } from '../../src/proxy/telemetry/tap.ts'
import { clusterOf, configOf, listenerOn, routesTo } from '../../test/kit/request-line.ts'
import { answer, requests } from './messages.ts'

const [count = 1_000_000] = process.argv.slice(2).map(Number)

class NullConnection implements Connection {
  handler: ConnectionHandler = { onData() {}, onEnd() {}, onClose() {}, onDrain() {} }
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 1
  readonly localAddress = '127.0.0.1'
  readonly localPort = 2
  readonly tls = undefined
  closed = false
  onWrite: () => void = () => {}

  write(): boolean {
    this.onWrite()
    return true
  }
  writeFrom(output: OutputBuffer): boolean {
    output.clear()
    this.onWrite()
    return true
  }
  writeLent(): boolean {
    return this.write()
  }
  end(): void {}
  destroy(): void {}
  pause(): void {}
  resume(): void {}
}

let accept: ((connection: Connection) => void) | undefined
const upstreams: NullConnection[] = []
let asked = 0
const io: IoBackend = {
  name: 'none',
  listen(_, onConnection) {
    accept = onConnection
    return Promise.resolve({
      address: { host: '127.0.0.1', port: 1 },
      handle: { fd: -1 },
      close: () => Promise.resolve(),
    })
  },
  connect() {
    const connection = new NullConnection()
    connection.onWrite = () => asked++
    upstreams.push(connection)
    return Promise.resolve(connection)
  },
  secure: (connection) => Promise.resolve(connection),
}
const identity = { workload: 'default/web', spiffeId: 'spiffe://mesh.local/ns/default/sa/web' }
const registry = new MetricRegistry(silentLogger)
const metrics = new ProxyMetrics(registry, identity)
const work = new BatchedWork(systemClock)
createRequestLine({
  io,
  runtime: new WatchableValue(
    configOf({
      listeners: [listenerOn(1, { kind: 'rds', name: 'routes' }, { direction: 'gateway' })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', [{ port: 2 }])],
    }),
  ),
  lookup: () => null,
  spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
  limits: new LimitBuckets(1),
  jwks: createJwksSource({ clock: systemClock, logger: silentLogger }),
  resolveHost: () => Promise.reject(new Error('no names here')),
  demand: () => Promise.resolve(undefined),
  revoked: new WatchableValue({ version: 0, notBeforeMs: {} }),
  credentials: new WatchableValue(undefined),
  clock: systemClock,
  random: createSystemRandom(),
  logger: silentLogger,
  proxyName: 'bench/proxy',
  sink: composeSinks(
    metrics,
    createRecordSink(identity, systemClock, work, new Tap(), new HeldRecords(systemClock, new HoldingLimit())),
  ),
  connections: metrics,
  plaintextCallers: new PlaintextCallers(systemClock),
  work,
})

await new Promise((resolve) => setImmediate(resolve))
const caller = new NullConnection()
let answered = 0
caller.onWrite = () => answered++
accept?.(caller)
caller.handler.onData(requests[0] as Buffer)
await new Promise((resolve) => setImmediate(resolve))
const upstream = upstreams[0] as NullConnection
upstream.handler.onData(answer)

function round(n: number): void {
  for (let i = 0; i < n; i++) {
    caller.handler.onData(requests[i % 500] as Buffer)
    upstream.handler.onData(answer)
  }
}
// In turns, so that microtasks run as they do between two reads.
async function run(n: number): Promise<number> {
  const before = process.cpuUsage()
  for (let done = 0; done < n; done += 16) {
    round(16)
    await Promise.resolve()
  }
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1e3) / n
}
await run(100_000)
for (let i = 0; i < 3; i++) console.log(`${(await run(count / 3)).toFixed(0)} ns of CPU a request`)
if (upstreams.length !== 1 || answered < count) throw new Error(`${upstreams.length} connections, ${answered} answers`)
