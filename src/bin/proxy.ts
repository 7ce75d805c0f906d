// `heddle proxy`: one process that hosts any number of sidecars and gateways. Composition root of the proxy.
import { readFile } from 'node:fs/promises'

import type { ProxyOptions } from '../cli/roles.ts'
import type { ProxyBootstrap, ProxyMessage, SidecarBootstrap, SupervisorMessage } from '../contracts/bootstrap.ts'
import { nodeId } from '../contracts/xds/names.ts'
import { systemClock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import { createPinoLogger } from '../core/pino-logger.ts'
import { boundExpressions } from '../proxy/route/linear-expressions.ts'
import { startSidecar } from './sidecar.ts'
import type { Sidecar } from './sidecar.ts'

/** How long open requests may go on after a drain began. */
const drainDeadlineMs = 10_000

export async function runProxy(options: ProxyOptions): Promise<void> {
  boundExpressions()
  const bootstrap = JSON.parse(await readFile(options.bootstrapFile, 'utf8')) as ProxyBootstrap
  const logger = createPinoLogger({ name: 'proxy' })
  const sidecars = new Map<string, Sidecar>()

  const writeAccessLog = createLineWriter(process.stdout)
  const start = (sidecar: SidecarBootstrap): void => {
    const key = keyOf(sidecar)
    const started = startSidecar({
      bootstrap,
      sidecar,
      clock: systemClock,
      logger: logger.child({ sidecar: key }),
      writeAccessLog,
    })
    sidecars.set(key, started)
    void started.ready.then(() => tell({ type: 'ready', sidecar: key }))
  }
  const stop = async (key: string): Promise<void> => {
    const sidecar = sidecars.get(key)
    if (sidecar === undefined) return
    sidecars.delete(key)
    await sidecar
      .stop(drainDeadlineMs)
      .catch((error: unknown) => logger.error('stopping failed', { sidecar: key, error: errorMessage(error) }))
    tell({ type: 'stopped', sidecar: key })
  }
  const follow = async (wanted: readonly SidecarBootstrap[]): Promise<void> => {
    const keys = new Set(wanted.map(keyOf))
    await Promise.all([...sidecars.keys()].filter((key) => !keys.has(key)).map(stop))
    for (const sidecar of wanted) if (!sidecars.has(keyOf(sidecar))) start(sidecar)
  }

  await follow(bootstrap.sidecars)
  await new Promise<void>((resolve) => {
    process.on('message', (message: SupervisorMessage) => {
      if (message.type === 'sidecars') void follow(message.sidecars)
      else resolve()
    })
    // Without its supervisor nobody could stop this process any more.
    process.on('disconnect', resolve)
    process.on('SIGTERM', resolve)
    process.on('SIGINT', resolve)
  })
  await Promise.all([...sidecars.keys()].map(stop))
  process.exit(0)
}

function tell(message: ProxyMessage): void {
  if (process.connected) process.send?.(message)
}

function keyOf(sidecar: SidecarBootstrap): string {
  return nodeId(sidecar.kind, sidecar.namespace, sidecar.name)
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
