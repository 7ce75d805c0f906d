// `heddle proxy`: one process that hosts any number of sidecars and gateways. Composition root of the proxy.
import { readFile } from 'node:fs/promises'

import type { ProxyOptions } from '../cli/roles.ts'
import type { ProxyBootstrap, ProxyMessage, SupervisorMessage } from '../contracts/bootstrap.ts'
import { nodeId } from '../contracts/xds/names.ts'
import { systemClock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import { createPinoLogger } from '../core/pino-logger.ts'
import { createIoBackend } from '../proxy/io/create-io-backend.ts'
import { boundExpressions } from '../proxy/route/linear-expressions.ts'
import { SidecarSet } from './sidecar-set.ts'
import { startSidecar } from './sidecar.ts'

/** How long open requests may go on after a drain began. */
const drainDeadlineMs = 10_000

export async function runProxy(options: ProxyOptions): Promise<void> {
  boundExpressions()
  const bootstrap = JSON.parse(await readFile(options.bootstrapFile, 'utf8')) as ProxyBootstrap
  const logger = createPinoLogger({ name: 'proxy' })
  const { io, reason } = createIoBackend(systemClock, options.io)
  logger.info('io back end', { io: io.name, reason })
  const writeAccessLog = createLineWriter(process.stdout)
  const sidecars = new SidecarSet({
    start: (sidecar) =>
      startSidecar({
        bootstrap,
        sidecar,
        io,
        clock: systemClock,
        logger: logger.child({ sidecar: nodeId(sidecar.kind, sidecar.namespace, sidecar.name) }),
        writeAccessLog,
      }),
    stop: (sidecar, key) =>
      sidecar
        .stop(drainDeadlineMs)
        .catch((error: unknown) => logger.error('stopping failed', { sidecar: key, error: errorMessage(error) })),
    ready: (key) => tell({ type: 'ready', sidecar: key }),
    stopped: (key) => tell({ type: 'stopped', sidecar: key }),
  })
  sidecars.follow(bootstrap.sidecars)
  await new Promise<void>((resolve) => {
    process.on('message', (message: SupervisorMessage) => {
      if (message.type === 'sidecars') sidecars.follow(message.sidecars)
      else resolve()
    })
    // Without its supervisor nobody could stop this process any more.
    process.on('disconnect', resolve)
    process.on('SIGTERM', resolve)
    process.on('SIGINT', resolve)
  })
  await sidecars.stop()
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
