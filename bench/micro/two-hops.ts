// The cost of one HTTP/1.1 request through two sidecars and the HTTP/2 link between them, without sockets and without TLS:
// `node bench/micro/two-hops.ts [requests] [POLICY|none|all|tracing]`. Sixteen requests a turn. With a policy (of bench/policies.ts), the caller's sidecar has
// what the control plane makes of bench/mesh. With `tracing`, both tell a collector that nobody is of one request in a hundred.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { ScenarioClient } from '../../src/control/model/scenario-kind.ts'
import { BatchedWork } from '../../src/core/batched-work.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { MetricRegistry } from '../../src/core/metrics/metric-registry.ts'
import { createSystemRandom } from '../../src/core/random.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { SimulatedMesh } from '../../src/insight/simulate/simulated-mesh.ts'
import { readSimulation } from '../../src/insight/simulate/simulation-files.ts'
import { LimitBuckets } from '../../src/policies/rate-limit/limit-buckets.runtime.ts'
import type { Connection, ConnectionHandler, IoBackend, TlsInfo } from '../../src/proxy/io/connection.ts'
import type { OutputBuffer } from '../../src/proxy/io/output-buffer.ts'
import { createJwksSource } from '../../src/proxy/jwks/jwks-source.ts'
import { createRequestLine } from '../../src/proxy/request-line.ts'
import type { ListenerConfig, RuntimeConfig } from '../../src/proxy/runtime/runtime-config.ts'
import { composeSinks } from '../../src/proxy/telemetry/compose-sinks.ts'
import { createRecordSink } from '../../src/proxy/telemetry/decision-records.ts'
import { HeldRecords, HoldingLimit } from '../../src/proxy/telemetry/held-records.ts'
import { PlaintextCallers } from '../../src/proxy/telemetry/plaintext-callers.ts'
import { ProxyMetrics } from '../../src/proxy/telemetry/proxy-metrics.ts'
import { Tap } from '../../src/proxy/telemetry/tap.ts'
import { WaitingRecords } from '../../src/proxy/telemetry/waiting-records.ts'
import { clusterOf, configOf, listenerOn, routesTo } from '../../test/kit/request-line.ts'
import { policyVariants } from '../policies.ts'
import { answer, requests } from './messages.ts'

const [count = 600_000] = process.argv.slice(2).map(Number)
const [, , , variant] = process.argv
const tracing = variant === 'tracing'
const policy = tracing ? undefined : variant
const perTurn = 16
/** Others on the machine disturb some of the windows. */
const perWindow = 3_200

class MicroConnection implements Connection {
  handler: ConnectionHandler = { onData() {}, onEnd() {}, onClose() {}, onDrain() {} }
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 1
  readonly localAddress = '127.0.0.1'
  readonly localPort = 2
  readonly tls: TlsInfo | undefined
  closed = false
  onWrite: (bytes: Uint8Array) => void

  constructor(onWrite: (bytes: Uint8Array) => void, tls?: TlsInfo) {
    this.onWrite = onWrite
    this.tls = tls
  }

  write(bytes: Uint8Array): boolean {
    this.onWrite(bytes)
    return true
  }
  writeFrom(output: OutputBuffer): boolean {
    this.onWrite(output.bytes.subarray(0, output.used))
    output.clear()
    return true
  }
  writeLent(bytes: Uint8Array): boolean {
    return this.write(bytes)
  }
  end(): void {}
  destroy(): void {}
  pause(): void {}
  resume(): void {}
}

const ids = { a: 'spiffe://mesh.local/ns/default/sa/client', b: 'spiffe://mesh.local/ns/default/sa/app' }
const mutual = (peerSpiffeId: string): TlsInfo => ({ peerSpiffeId, notAfterMs: Infinity, alpn: 'h2', sni: undefined })
const accepting: Record<'a' | 'b', (connection: Connection) => void> = { a() {}, b() {} }
const applications: MicroConnection[] = []
const asked: MicroConnection[] = []

function createIo(name: 'a' | 'b'): IoBackend {
  return {
    name,
    listen(_, onConnection) {
      accepting[name] = onConnection
      const address = { host: '127.0.0.1', port: 1 }
      return Promise.resolve({ address, handle: { fd: -1 }, close: () => Promise.resolve() })
    },
    connect() {
      if (name === 'b') {
        const application = new MicroConnection(() => asked.push(application))
        applications.push(application)
        return Promise.resolve(application)
      }
      const near = new MicroConnection((bytes) => far.handler.onData(Buffer.from(bytes)), mutual(ids.b))
      const far = new MicroConnection((bytes) => near.handler.onData(Buffer.from(bytes)), mutual(ids.a))
      accepting.b(far)
      // What detection wants to see of a secured connection.
      return Promise.resolve(near)
    },
    secure: (connection) => Promise.resolve(connection),
  }
}

function startLine(name: 'a' | 'b', config: RuntimeConfig): void {
  const identity = { workload: `default/${name}`, spiffeId: ids[name] }
  const metrics = new ProxyMetrics(new MetricRegistry(silentLogger), identity)
  const work = new BatchedWork(systemClock)
  const records = new WaitingRecords(systemClock, metrics)
  const held = new HeldRecords(systemClock, new HoldingLimit())
  createRequestLine({
    io: createIo(name),
    runtime: new WatchableValue(config),
    lookup: () => null,
    spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
    limits: new LimitBuckets(1),
    jwks: createJwksSource({ clock: systemClock, logger: silentLogger }),
    demand: () => Promise.resolve(undefined),
    revoked: new WatchableValue({ version: 0, notBeforeMs: {} }),
    credentials: new WatchableValue({ certificateChainPem: '', privateKeyPem: '', rootsPem: '' }),
    resolveHost: () => Promise.reject(new Error('no names here')),
    clock: systemClock,
    random: createSystemRandom(),
    logger: silentLogger,
    proxyName: name,
    sink: composeSinks(metrics, createRecordSink(identity, systemClock, work, records, new Tap(), held)),
    connections: metrics,
    plaintextCallers: new PlaintextCallers(systemClock),
    work,
  })
}

function traced(listener: ListenerConfig): ListenerConfig {
  if (!tracing) return listener
  const collector = { cluster: 'otel', timeoutMs: 1_000 }
  const filterChains = listener.filterChains.map((chain) =>
    chain.filter.kind === 'http'
      ? { ...chain, filter: { ...chain.filter, tracing: { collector, randomSamplingPercent: 1 } } }
      : chain,
  )
  return { ...listener, filterChains }
}

const inline = { kind: 'inline', routeConfiguration: routesTo('inbound') } as const
startLine(
  'b',
  configOf({
    // Without TLS: the link comes as HTTP/2 by prior knowledge.
    listeners: [traced(listenerOn(1, inline, { name: 'inbound', direction: 'inbound' }))],
    clusters: [clusterOf('inbound', [{ port: 2 }])],
  }),
)
startLine(
  'a',
  policy === undefined
    ? configOf({
        listeners: [traced(listenerOn(1, { kind: 'rds', name: 'routes' }))],
        routes: [routesTo('app')],
        clusters: [clusterOf('app', [{ port: 2, tls: true }], { peerSpiffeIds: [ids.b], peerAlpn: ['h2'] })],
      })
    : callerWith(policy),
)
function callerWith(name: string): RuntimeConfig {
  const rewrite = name === 'none' ? (text: string): string => text : policyVariants.get(name)
  if (rewrite === undefined)
    throw new Error(`no such policy: ${name}; there are ${[...policyVariants.keys()].join(', ')}`)
  const mesh = readFileSync(join(import.meta.dirname, '../mesh/mesh.yaml'), 'utf8').replaceAll(
    /\b[A-Z]+_PORT\b/g,
    '8080',
  )
  const scenario = `apiVersion: heddle.dev/v1alpha1
kind: Scenario
metadata: { name: bench }
spec: { duration: 1s, applications: [{ workload: app }], clients: [{ workload: client, service: app, rate: 1 }] }
`
  const { snapshot, scenarios, problems } = readSimulation(
    [{ path: 'mesh.yaml', text: rewrite(mesh) }],
    [{ path: 'scenario.yaml', text: scenario }],
  )
  const [document] = scenarios
  if (document === undefined) throw new Error(JSON.stringify(problems))
  const [client] = document.spec.clients
  const { config, listener } = new SimulatedMesh(snapshot, document).clientConfig(client as ScenarioClient)
  return { ...config, listeners: new Map([[listener.name, listener]]) }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
await turn()
const answers = { left: 0 }
const callers = Array.from({ length: perTurn }, () => new MicroConnection(() => answers.left--))
for (const caller of callers) accepting.a(caller)

async function run(total: number): Promise<number> {
  const before = process.cpuUsage()
  for (let done = 0; done < total; done += perTurn) {
    answers.left = perTurn
    for (const [n, caller] of callers.entries()) caller.handler.onData(requests[(done + n) % requests.length] as Buffer)
    while (answers.left > 0) {
      await turn()
      for (const application of asked.splice(0)) application.handler.onData(answer)
    }
  }
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1e3) / total
}
await run(100_000)
const windows = Array.from({ length: Math.ceil(count / perWindow) }, () => 0)
for (const index of windows.keys()) windows[index] = await run(perWindow)
windows.sort((a, b) => a - b)
const [best, median] = [0.05, 0.5].map((share) => windows[Math.floor(windows.length * share)] as number)
console.log(`${best?.toFixed(0)} ns of CPU a request in the best of the windows, ${median?.toFixed(0)} in the median`)
process.exit()
