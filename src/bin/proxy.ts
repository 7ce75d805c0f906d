// `heddle proxy`: one process that hosts any number of sidecars and gateways. Composition root of the proxy.
import { readFile } from 'node:fs/promises'

import type { ProxyOptions } from '../cli/roles.ts'
import type { ProxyBootstrap, ProxyMessage, SupervisorMessage } from '../contracts/bootstrap.ts'
import { nodeId } from '../contracts/xds/names.ts'
import { systemClock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import { createPinoLogger } from '../core/pino-logger.ts'
import type { ListeningHandle } from '../proxy/io/connection.ts'
import { boundExpressions } from '../proxy/route/linear-expressions.ts'
import { ChannelSockets, noSockets } from './handed-sockets.ts'
import { SidecarSet } from './sidecar-set.ts'
import { startSidecar } from './sidecar.ts'

/** How long open requests may go on when the process or one of its sidecars ends for good. */
const drainDeadlineMs = 10_000

export async function runProxy(options: ProxyOptions): Promise<void> {
  boundExpressions()
  const bootstrap = JSON.parse(await readFile(options.bootstrapFile, 'utf8')) as ProxyBootstrap
  const logger = createPinoLogger({ name: 'proxy' })
  const writeAccessLog = createLineWriter(process.stdout)
  const sockets = process.send === undefined ? undefined : new ChannelSockets(tell)
  let deadlineMs = drainDeadlineMs
  const sidecars = new SidecarSet({
    start: (sidecar) =>
      startSidecar({
        bootstrap,
        sidecar,
        clock: systemClock,
        sockets: sockets ?? noSockets,
        logger: logger.child({ sidecar: nodeId(sidecar.kind, sidecar.namespace, sidecar.name) }),
        writeAccessLog,
      }),
    stop: (sidecar, key) =>
      sidecar
        .stop(deadlineMs)
        .catch((error: unknown) => logger.error('stopping failed', { sidecar: key, error: errorMessage(error) })),
    ready: (key) => tell({ type: 'ready', sidecar: key }),
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
      else if (!draining) sidecars.follow(message.sidecars)
    })
    // Without its supervisor nobody could stop this process any more.
    process.on('disconnect', () => drain(drainDeadlineMs))
    process.on('SIGTERM', () => drain(drainDeadlineMs))
    process.on('SIGINT', () => drain(drainDeadlineMs))
    sidecars.follow(bootstrap.sidecars)
  })
  process.exit(0)
}

function tell(message: ProxyMessage): void {
  if (process.connected) process.send?.(message)
}

/** Lines of one turn of the event loop leave in one write; while the reader is slow they are left out rather than kept. */
function createLineWriter(stream: NodeJS.WriteStream): (line: string) => void {
  let pending = ''
  return (line) => {
    if (stream.writableNeedDrain) return
    if (pending === '') {
      setImmediate(() => {
        stream.write(pending)
        pending = ''
      })
    }
    pending += `${line}\n`
  }
}
