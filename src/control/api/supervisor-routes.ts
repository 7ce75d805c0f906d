// What only the supervisor asks: the desired state by long poll; and what it tells: how the workloads do.
import type { FastifyInstance, FastifyReply } from 'fastify'

import type { DesiredState, WorkloadStatus } from '../../contracts/desired-state.ts'
import { ApiFailure } from './api-failure.ts'
import type { ControlApiDeps } from './control-api-deps.ts'

/** Shorter than the idle limits of whatever may lie between. */
const longPollMs = 25_000

export function registerSupervisorRoutes(app: FastifyInstance, deps: ControlApiDeps): void {
  app.get<{ Querystring: { after?: string } }>('/v1/desired', ({ query }, reply) =>
    query.after === deps.desired.value.revision ? nextState(deps, reply) : deps.desired.value,
  )

  app.put<{ Body: { workloads?: unknown } | null }>('/v1/workload-statuses', ({ body }, reply) => {
    const workloads = body?.workloads
    if (!Array.isArray(workloads)) throw new ApiFailure(400, { code: 'bad-request', message: 'workloads is a list' })
    deps.workloadStatuses.replace(workloads as readonly WorkloadStatus[])
    return reply.code(204).send()
  })

  app.get('/v1/workload-statuses', () => ({ workloads: deps.workloadStatuses.list() }))
}

/** The next revision, or the present one again when none comes in time. */
function nextState(deps: ControlApiDeps, reply: FastifyReply): Promise<DesiredState> {
  return new Promise((resolve) => {
    const done = (state: DesiredState): void => {
      timer.cancel()
      unsubscribe()
      resolve(state)
    }
    const timer = deps.clock.setTimer(longPollMs, () => done(deps.desired.value))
    const unsubscribe = deps.desired.subscribe(done)
    reply.raw.once('close', () => done(deps.desired.value))
  })
}
