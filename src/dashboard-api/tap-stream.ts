// GET /v1/tap: decision records of requests as they happen, as server-sent events, until the reader goes.
import type { FastifyInstance } from 'fastify'

import type { DecisionRecord } from '../contracts/decision-record.ts'
import type { RecordConditionFault, TapView } from '../contracts/read-api.ts'
import { serviceHost } from '../contracts/xds/names.ts'
import { ApiFailure } from '../control/api/api-failure.ts'
import type { Timer } from '../core/clock.ts'
import { startEventStream } from './event-stream.ts'
import type { ReadApiDeps } from './read-api-deps.ts'

export interface TapQuery {
  /** "namespace/name". */
  readonly service?: string | undefined
  /** "namespace/name"; at either end. */
  readonly workload?: string | undefined
  readonly method?: string | undefined
  /** What paths begin with. */
  readonly path?: string | undefined
  /** "503", or a class: "5xx". */
  readonly status?: string | undefined
  /** In CEL. */
  readonly where?: string | undefined
}

/** Of the proxies of the whole mesh: each costs all of them something. */
const mostTaps = 8
const stateMs = 2_000
/** By then proxies that run have answered. */
const firstStateMs = 500

/** `parse` reads the query, or throws. */
export function registerTapStream(
  app: FastifyInstance,
  { clock, tap, compileCondition }: ReadApiDeps,
  parse: (query: unknown) => TapQuery,
): void {
  const open = new Set<() => void>()
  app.addHook('onClose', async () => {
    for (const close of open) close()
  })
  app.get('/v1/tap', (request, reply) => {
    const { where, ...asked } = parse(request.query)
    const condition = where === undefined ? () => true : conditionOf(compileCondition(where))
    if (open.size >= mostTaps)
      throw new ApiFailure(503, { code: 'too-many-streams', message: `${mostTaps} taps are open already` })
    const stream = startEventStream(reply)
    const tapping = tap.open(proxyQuery(asked), (record) => {
      if (condition(record)) stream.send('record', record)
    })
    const tell = (): void => {
      stream.send('state', tapping.state() satisfies TapView)
      timer = clock.setTimer(stateMs, tell)
    }
    let timer: Timer | undefined = clock.setTimer(firstStateMs, tell)
    const close = (): void => {
      open.delete(close)
      timer?.cancel()
      tapping.close()
      stream.end()
    }
    open.add(close)
    stream.onClose(close)
  })
}

function conditionOf(
  condition: ((record: DecisionRecord) => boolean) | RecordConditionFault,
): (record: DecisionRecord) => boolean {
  if (typeof condition === 'function') return condition
  const message = `where: character ${condition.offset + 1}: ${condition.message}`
  const hint =
    'a condition in CEL on fields of a decision record, such as \'response.status >= 500 && "UH" in response.flags\''
  throw new ApiFailure(400, { code: 'bad-request', message, hint })
}

/** What proxies themselves leave out, so that a narrow question costs little. */
function proxyQuery({ service, ...others }: Omit<TapQuery, 'where'>): URLSearchParams {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(others)) if (value !== undefined) query.set(name, value)
  const [namespace = '', name = ''] = service?.split('/') ?? []
  if (service !== undefined) query.set('service', serviceHost(name, namespace))
  return query
}
