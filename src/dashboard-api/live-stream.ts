// GET /v1/live: the topology every two seconds, and each event after the one that is asked for, when it happens, as server-sent events.
import type { FastifyInstance, FastifyReply } from 'fastify'

import { ApiFailure } from '../control/api/api-failure.ts'
import type { Timer } from '../core/clock.ts'
import type { MeshViews } from './mesh-views.ts'
import type { ReadApiDeps } from './read-api-deps.ts'

const intervalMs = 2_000
const mostStreams = 64
const mostWaitingBytes = 8 * 1024 * 1024

export interface LiveQuery {
  readonly windowMs: number
  /** Absent: only what happens from now on. */
  readonly afterId?: number | undefined
}

/** `parse` reads the query, or throws. */
export function registerLiveStream(
  app: FastifyInstance,
  deps: ReadApiDeps,
  views: MeshViews,
  parse: (query: unknown) => LiveQuery,
): void {
  const open = new Set<() => void>()
  app.addHook('onClose', async () => {
    for (const close of open) close()
  })
  app.get('/v1/live', (request, reply) => {
    const { windowMs, afterId } = parse(request.query)
    if (open.size >= mostStreams)
      throw new ApiFailure(503, { code: 'too-many-streams', message: `${mostStreams} streams are open already` })
    const send = startStream(reply)
    const show = (): void => {
      send('topology', views.topology(windowMs))
      timer = deps.clock.setTimer(intervalMs, show)
    }
    let timer: Timer | undefined
    show()
    if (afterId !== undefined) for (const event of deps.events.list({ afterId })) send('event', event)
    const unsubscribe = deps.events.newest.subscribe((event) => send('event', event))
    const close = (): void => {
      open.delete(close)
      timer?.cancel()
      unsubscribe()
      reply.raw.end()
    }
    open.add(close)
    reply.raw.once('close', close)
  })
}

/** A topology that a slow reader cannot take is left out: the next makes up for it. Who does not read at all has to come again. */
function startStream(reply: FastifyReply): (event: 'topology' | 'event', data: unknown) => void {
  reply.hijack()
  const { raw } = reply
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(200, { 'content-type': 'text/event-stream' })
  return (event, data) => {
    if (raw.writableEnded || raw.destroyed || (event === 'topology' && raw.writableNeedDrain)) return
    raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    if (raw.writableLength > mostWaitingBytes) raw.destroy()
  }
}
