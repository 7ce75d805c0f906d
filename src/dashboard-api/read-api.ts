// The routes of the read API: what a mesh looks like now and has looked like. One table makes the routes and their OpenAPI document.
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import { trafficKeys } from '../contracts/read-api.ts'
import type { EventList, RevisionDifference, Series, TrafficKey } from '../contracts/read-api.ts'
import { serviceHost } from '../contracts/xds/names.ts'
import { ApiFailure } from '../control/api/api-failure.ts'
import { responseFlag } from '../control/telemetry/record-schema.ts'
import {
  configurationAnswer,
  differenceAnswer,
  edgesAnswer,
  endpointsAnswer,
  eventsAnswer,
  requestAnswer,
  requestsAnswer,
  revisionsAnswer,
  securityAnswer,
  seriesAnswer,
  serviceAnswer,
  topologyAnswer,
  trafficAnswer,
  workloadAnswer,
  workloadsAnswer,
} from './answers.ts'
import { registerLiveStream } from './live-stream.ts'
import { buildSeries } from './long-series.ts'
import { MeshViews } from './mesh-views.ts'
import { openApiDocument } from './open-api.ts'
import type { ReadApiDeps } from './read-api-deps.ts'
import type { ReadRoute } from './read-route.ts'
import { listRequests, viewRequest } from './request-views.ts'
import { compareRevisions, type ComparedRevision } from './revision-difference.ts'
import { registerTapStream } from './tap-stream.ts'

const minuteMs = 60_000
const longestMs = 6 * 3_600_000
const mostPoints = 1_000
const windowMs = z.coerce.number().int().min(1_000).max(longestMs).default(minuteMs)
const ofWindow = z.strictObject({ windowMs: windowMs.describe('How long before now.') })
const ago = z.coerce.number().int().nonnegative().max(longestMs).default(0).describe('How long before now that ends.')
const mostParts = 120
const keyList = new RegExp(`^(${trafficKeys.join('|')})(,(${trafficKeys.join('|')}))*$`)
const ofTraffic = ofWindow.extend({
  agoMs: ago,
  by: z
    .string()
    .regex(keyList, `must be some of ${trafficKeys.join(', ')}, with commas between`)
    .default('from,to')
    .describe(`What the requests of a sum have in common: ${trafficKeys.join(', ')}, with commas between.`),
  parts: z.coerce.number().int().min(0).max(mostParts).default(0).describe('Of the history, at most; 0: none.'),
})
const qualifiedName = z.string().regex(/^[^/]{1,253}\/[^/]{1,253}$/, 'must be namespace/name')
const time = z.coerce.number().nonnegative().describe('Milliseconds since the Unix epoch.')
const ofPeriod = z.strictObject({ fromMs: time, toMs: time })
const ofSeries = z.strictObject({
  fromMs: time,
  toMs: time,
  stepMs: z.coerce.number().int().min(1_000).max(longestMs).default(1_000),
  service: qualifiedName.optional().describe('What callers asked of that Service, "namespace/name".'),
  workload: qualifiedName.optional().describe('What that workload answered, "namespace/name".'),
})
const ofEvents = z.strictObject({
  afterId: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(0)
    .describe('Only those that came after the one with that id.'),
  most: z.coerce.number().int().min(1).max(5_000).default(500).describe('The newest so many.'),
  windowMs: z.coerce.number().int().min(1_000).optional().describe('How long before now, or before what agoMs says.'),
  agoMs: ago,
})
const statusOrClass = z
  .string()
  .regex(/^([0-5]xx|[1-5]\d\d)$/, 'must be 503 or 5xx')
  .describe('"503", or "5xx"; "0xx": none.')
const ofRequests = z
  .strictObject({
    service: qualifiedName.optional().describe('Asked of that Service, "namespace/name".'),
    workload: qualifiedName.optional().describe('By or of that workload, "namespace/name".'),
    status: statusOrClass.optional(),
    flag: responseFlag.optional().describe('A response flag.'),
    minDurationMs: z.coerce.number().nonnegative().optional(),
    sinceMs: time.optional(),
    most: z.coerce.number().int().min(1).max(1_000).default(100),
  })
  .describe('All of it must be true of one hop.')
const revisionNumber = z.coerce.number().int().positive()
const ofDifference = z.strictObject({ from: revisionNumber, to: revisionNumber })
const ofTap = z.strictObject({
  service: qualifiedName.optional(),
  workload: qualifiedName.optional(),
  method: z
    .string()
    .regex(/^[A-Za-z]{1,32}$/)
    .optional(),
  path: z.string().max(1_024).optional(),
  status: statusOrClass.optional(),
  where: z.string().max(4_096).optional(),
})
const ofLive = ofWindow.extend({ afterId: z.coerce.number().int().nonnegative().optional() })
const nothing = z.strictObject({})

export function readRoutes(deps: ReadApiDeps, views: MeshViews): readonly ReadRoute[] {
  return [
    route('/v1/topology', 'Who calls whom, and how well it goes.', ofWindow, topologyAnswer, (query) =>
      views.topology(query.windowMs),
    ),
    route('/v1/edges', 'Requests of a period, as proxies have counted them.', ofPeriod, edgesAnswer, (query) => ({
      edges: deps.traffic.edges(query.fromMs, query.toMs),
    })),
    route(
      '/v1/services/:namespace/:name',
      'A Service: its signals, workloads, callers, and what is written about it.',
      ofWindow,
      serviceAnswer,
      (query, { namespace = '', name = '' }) => views.service(namespace, name, query.windowMs),
    ),
    route(
      '/v1/services/:namespace/:name/endpoints',
      'Its endpoints as the proxies of its busiest callers see them now.',
      ofWindow,
      endpointsAnswer,
      (query, { namespace = '', name = '' }) => views.endpoints(namespace, name, query.windowMs),
    ),
    route('/v1/workloads', 'All workloads.', ofWindow, workloadsAnswer, (query) => views.workloads(query.windowMs)),
    route(
      '/v1/workloads/:namespace/:name',
      'A workload: its signals, what it answered and sent, and who is let in.',
      ofWindow,
      workloadAnswer,
      (query, { namespace = '', name = '' }) => views.workload(namespace, name, query.windowMs),
    ),
    route(
      '/v1/series',
      'Signals over time: of all traffic, a Service or a workload.',
      ofSeries,
      seriesAnswer,
      (query) => series(deps, query),
    ),
    route('/v1/traffic', 'Requests summed by what they have in common.', ofTraffic, trafficAnswer, (query) =>
      views.traffic({ ...query, by: query.by.split(',') as TrafficKey[] }),
    ),
    route('/v1/events', 'What happened, oldest first.', ofEvents, eventsAnswer, (query) => events(deps, query)),
    route(
      '/v1/requests',
      'Requests that failed, were repeated, were slow or are sampled, newest first.',
      ofRequests,
      requestsAnswer,
      ({ most, ...filter }) => listRequests(deps.requests, filter, most),
    ),
    route(
      '/v1/requests/:id',
      'One of them, by its id, a request id or a trace id: all its hops and attempts.',
      nothing,
      requestAnswer,
      (_, { id = '' }) => viewRequest([deps.requests, deps.tap.requests], id),
    ),
    route('/v1/configuration', 'Documents in force, and what is wrong with any.', nothing, configurationAnswer, () => ({
      revision: deps.snapshot().revision,
      problems: deps.problems(),
      documents: views.documents(),
    })),
    route('/v1/revisions', 'Revisions of the configuration, newest first.', nothing, revisionsAnswer, async () => ({
      revisions: (await deps.revisions()).slice(0, mostPoints),
    })),
    route(
      '/v1/difference',
      'What two revisions of the configuration differ in, line by line.',
      ofDifference,
      differenceAnswer,
      (query) => difference(deps, query),
    ),
    route('/v1/security', 'Plaintext, refused requests, and certificates.', ofWindow, securityAnswer, (query) =>
      views.security(query.windowMs),
    ),
  ]
}

/** On an app whose door and tokens stand before it. */
export function registerReadApi(app: FastifyInstance, deps: ReadApiDeps): void {
  const views = new MeshViews(deps)
  const routes = readRoutes(deps, views)
  for (const { path, query: schema, handle } of routes) {
    app.get<{ Params: Record<string, string> }>(path, async ({ query, params }) => {
      const answer = await handle(parseQuery(schema, query), params)
      if (answer !== undefined) return answer
      throw new ApiFailure(404, { code: 'not-found', message: `there is no ${Object.values(params).join('/')}` })
    })
  }
  const document = openApiDocument(routes)
  app.get('/v1/openapi.json', () => document)
  registerLiveStream(app, deps, views, (query) => parseQuery(ofLive, query))
  registerTapStream(app, deps, (query) => parseQuery(ofTap, query))
}

function parseQuery<Q extends z.ZodObject>(schema: Q, query: unknown): z.output<Q> {
  const { success, data, error } = schema.safeParse(query)
  if (success) return data
  const [issue] = error.issues
  const message = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'bad query'}`
  throw new ApiFailure(400, { code: 'bad-request', message, hint: 'see /v1/openapi.json' })
}

function events({ events: all, clock }: ReadApiDeps, query: z.output<typeof ofEvents>): EventList {
  const toMs = clock.nowMs() - query.agoMs
  const fromMs = query.windowMs === undefined ? 0 : toMs - query.windowMs
  const found = all.list({ afterId: query.afterId }).filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
  return { events: found.slice(-query.most) }
}

async function difference(
  { documentsOf }: ReadApiDeps,
  { from, to }: z.output<typeof ofDifference>,
): Promise<RevisionDifference> {
  const find = async (revision: number): Promise<ComparedRevision> => {
    const documents = await documentsOf(revision)
    if (documents !== undefined) return { revision, documents }
    throw new ApiFailure(404, { code: 'not-found', message: `there is no revision ${revision}` })
  }
  return compareRevisions(await find(from), await find(to))
}

function series(
  { traffic, history, clock }: ReadApiDeps,
  { service, ...query }: z.output<typeof ofSeries>,
): Promise<Series> {
  const { fromMs, toMs, stepMs } = query
  if (toMs - fromMs > mostPoints * stepMs) {
    const message = `that is more than ${mostPoints} points: ask for less time or a greater stepMs`
    throw new ApiFailure(400, { code: 'bad-request', message })
  }
  const [namespace = '', name = ''] = service?.split('/') ?? []
  const host = service === undefined ? undefined : serviceHost(name, namespace)
  return buildSeries(traffic, history, { fromMs, toMs, stepMs, service: host, workload: query.workload }, clock.nowMs())
}

function route<Q extends z.ZodObject>(
  path: string,
  summary: string,
  query: Q,
  answer: z.ZodType,
  handle: (query: z.output<Q>, parameters: Readonly<Record<string, string>>) => unknown,
): ReadRoute {
  return { path, summary, query, answer, handle: handle as ReadRoute['handle'] }
}
