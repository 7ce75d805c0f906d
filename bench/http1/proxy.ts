// The proxy under test: one plaintext listener in front of one application. Arguments: listener port, application port.
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { createSystemRandom } from '../../src/core/random.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { resolveBySystem } from '../../src/proxy/cluster/dns-resolver.ts'
import { createNetBackend } from '../../src/proxy/io/net-backend.ts'
import { createRequestLine } from '../../src/proxy/request-line.ts'
import { clusterOf, configOf, listenerOn, routesTo } from '../../test/kit/request-line.ts'

const [port, application] = process.argv.slice(2).map(Number) as [number, number]
const nothing = (): void => {}

createRequestLine({
  io: createNetBackend(systemClock),
  runtime: new WatchableValue(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', [{ port: application }])],
    }),
  ),
  lookup: () => null,
  demand: () => Promise.resolve(undefined),
  credentials: new WatchableValue(undefined),
  resolveHost: resolveBySystem,
  clock: systemClock,
  random: createSystemRandom(),
  logger: silentLogger,
  proxyName: 'bench/proxy',
  sink: { finished: nothing },
  connections: {
    downstreamOpened: nothing,
    downstreamClosed: nothing,
    downstreamRefused: nothing,
    upstreamOpened: nothing,
    upstreamClosed: nothing,
    upstreamConnectFailed: nothing,
    tcpOpened: nothing,
    tcpClosed: nothing,
    tcpFailed: nothing,
    tcpBytes: nothing,
  },
})
