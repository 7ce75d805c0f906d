// GET /v1/live: the topology every two seconds, and each event after the one that is asked for, when it happens, as server-sent events.
import type { FastifyInstance } from 'fastify'

import { ApiFailure } from '../control/api/api-failure.ts'
import type { Timer } from '../core/clock.ts'
import { startEventStream } from './event-stream.ts'
import type { MeshViews } from './mesh-views.ts'
import type { ReadApiDeps } from './read-api-deps.ts'

const intervalMs = 2_000
const mostStreams = 64

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
    const stream = startEventStream(reply)
    const show = (): void => {
      stream.send('topology', views.topology(windowMs), true)
      timer = deps.clock.setTimer(intervalMs, show)
    }
    let timer: Timer | undefined
    show()
    if (afterId !== undefined) for (const event of deps.events.list({ afterId })) stream.send('event', event)
    const unsubscribe = deps.events.newest.subscribe((event) => stream.send('event', event))
    const close = (): void => {
      open.delete(close)
      timer?.cancel()
      unsubscribe()
      stream.end()
    }
    open.add(close)
    stream.onClose(close)
  })
}
