// `heddle proxy`: one process that hosts any number of sidecars and gateways. Composition root of the proxy.
import { readFile } from 'node:fs/promises'

import type { ProxyOptions } from '../cli/roles.ts'
import type { ProxyBootstrap, SupervisorMessage } from '../contracts/bootstrap.ts'
import { nodeId } from '../contracts/xds/names.ts'
import { systemClock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import { MetricRegistry } from '../core/metrics/metric-registry.ts'
import { createPinoLogger } from '../core/pino-logger.ts'
import type { ListeningHandle } from '../proxy/io/connection.ts'
import { createIoBackend } from '../proxy/io/create-io-backend.ts'
import { boundExpressions } from '../proxy/route/linear-expressions.ts'
import { AccessLogFiles } from '../proxy/telemetry/access-log-files.ts'
import { HoldingLimit } from '../proxy/telemetry/held-records.ts'
import { outliveFilters } from './filter-faults.ts'
import { ChannelSockets, noSockets } from './handed-sockets.ts'
import { finalDrainMs, tell } from './parent-channel.ts'
import { inlineMore } from './runtime-flags.ts'
import { GivenIdentity, ownIdentity } from './sidecar-identity.ts'
import { SidecarSet } from './sidecar-set.ts'
import { SidecarWorkloadApi } from './sidecar-workload-api.ts'
import { startSidecar } from './sidecar.ts'
import { collectStartupGarbage } from './startup-garbage.ts'

export async function runProxy(options: ProxyOptions): Promise<void> {
  boundExpressions()
  inlineMore()
  const bootstrap = JSON.parse(await readFile(options.bootstrapFile, 'utf8')) as ProxyBootstrap
  const logger = createPinoLogger({ name: 'proxy' })
  const { io, reason } = createIoBackend(systemClock, options.io)
  outliveFilters(logger)
  const slower = io.name === 'net' && options.io === 'auto'
  logger[slower ? 'warn' : 'info']('io back end', { io: io.name, reason })
  const files = new AccessLogFiles(systemClock, logger)
  const accessLogOutputs = {
    write: createLineWriter(process.stdout),
    writeFile: files.write.bind(files),
  }
  const holding = new HoldingLimit()
  const sockets = process.send === undefined ? undefined : new ChannelSockets(tell)
  const given = new Map<string, GivenIdentity>()
  let deadlineMs = finalDrainMs
  const starting = new Set(bootstrap.sidecars.map(({ kind, namespace, name }) => nodeId(kind, namespace, name)))
  const sidecars = new SidecarSet({
    start: (sidecar) => {
      const key = nodeId(sidecar.kind, sidecar.namespace, sidecar.name)
      const own = logger.child({ sidecar: key })
      const identity =
        bootstrap.worker === true
          ? new GivenIdentity((withinMs) => tell({ type: 'renew', sidecar: key, withinMs }))
          : ownIdentity(bootstrap, sidecar, own)
      const registry = new MetricRegistry(own)
      if (identity instanceof GivenIdentity) given.set(key, identity)
      const started = startSidecar({
        bootstrap,
        sidecar,
        io,
        clock: systemClock,
        logger: own,
        sockets: sockets ?? noSockets,
        identity,
        registry,
        holding,
        accessLogOutputs,
      })
      started.endpoints.then(
        ([admin, metrics]) => tell({ type: 'endpoints', sidecar: key, admin, metrics }),
        () => {
          // the sidecar has said so in the log
        },
      )
      const workloadApi = new SidecarWorkloadApi({ bootstrap, sidecar, identity, registry, logger: own })
      return {
        // of several workers their parent serves it
        ready: started.ready.then(() => (bootstrap.worker === true ? undefined : workloadApi.open())),
        workloadApi,
        async stop(withinMs: number) {
          try {
            await started.stop(withinMs)
          } finally {
            await workloadApi.stop()
          }
        },
      }
    },
    update: ({ workloadApi }, sidecar) => workloadApi.update(sidecar),
    stop: (sidecar, key) =>
      sidecar
        .stop(deadlineMs)
        .catch((error: unknown) => logger.error('stopping failed', { sidecar: key, error: errorMessage(error) })),
    ready: (key) => {
      // once, and before anybody relies on it
      if (starting.delete(key) && starting.size === 0) collectStartupGarbage()
      tell({ type: 'ready', sidecar: key })
    },
    stopped: (key) => tell({ type: 'stopped', sidecar: key }),
  })
  let draining = false
  await new Promise<void>((resolve) => {
    const drain = (withinMs: number): void => {
      // the second word is the last: what is still open then ends with the process
      if (draining) systemClock.setTimer(withinMs, resolve)
      else {
        draining = true
        deadlineMs = withinMs
        void sidecars.stop().then(resolve)
      }
    }
    process.on('message', (message: SupervisorMessage, handle: unknown) => {
      if (message.type === 'socket') sockets?.received(message, handle as ListeningHandle | undefined)
      else if (message.type === 'drain') drain(message.deadlineMs)
      else if (message.type === 'credentials')
        given.get(message.sidecar)?.received(message.credentials, message.notAfterMs, message.revoked)
      else if (!draining) sidecars.follow(message.sidecars)
    })
    // Without its supervisor nobody could stop this process any more.
    process.on('disconnect', () => drain(finalDrainMs))
    process.on('SIGTERM', () => drain(finalDrainMs))
    process.on('SIGINT', () => drain(finalDrainMs))
    sidecars.follow(bootstrap.sidecars)
  })
  await files.close()
  process.exit(0)
}

const logDelayMs = 100

/** Lines of a tenth of a second leave in one write; while the reader is slow they are left out rather than kept: false. */
function createLineWriter(stream: NodeJS.WriteStream): (line: string) => boolean {
  let pending = ''
  const flush = (): void => {
    if (pending !== '') stream.write(pending)
    pending = ''
  }
  process.once('exit', flush)
  return (line) => {
    if (stream.writableNeedDrain) return false
    if (pending === '') setTimeout(flush, logDelayMs).unref()
    pending += `${line}\n`
    return true
  }
}
