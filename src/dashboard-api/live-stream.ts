// GET /v1/live: the topology every two seconds, and each event when it happens, as server-sent events.
import type { FastifyInstance, FastifyReply } from 'fastify'

import { ApiFailure } from '../control/api/api-failure.ts'
import type { Timer } from '../core/clock.ts'
import { MeshViews } from './mesh-views.ts'
import type { ReadApiDeps } from './read-api-deps.ts'

const intervalMs = 2_000
const mostStreams = 64

/** `windowMsOf` reads the query, or throws. */
export function registerLiveStream(
  app: FastifyInstance,
  deps: ReadApiDeps,
  windowMsOf: (query: unknown) => number,
): void {
  const views = new MeshViews(deps)
  const open = new Set<() => void>()
  app.addHook('onClose', async () => {
    for (const close of open) close()
  })
  app.get('/v1/live', (request, reply) => {
    const windowMs = windowMsOf(request.query)
    if (open.size >= mostStreams)
      throw new ApiFailure(503, { code: 'too-many-streams', message: `${mostStreams} streams are open already` })
    const send = startStream(reply)
    const show = (): void => {
      send('topology', views.topology(windowMs))
      timer = deps.clock.setTimer(intervalMs, show)
    }
    let timer: Timer | undefined
    show()
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

/** What a slow reader cannot take is left out: the next topology makes up for it. */
function startStream(reply: FastifyReply): (event: string, data: unknown) => void {
  reply.hijack()
  const { raw } = reply
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(200, { 'content-type': 'text/event-stream' })
  return (event, data) => {
    if (!raw.writableNeedDrain && !raw.writableEnded) raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }
}
