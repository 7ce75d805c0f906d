// The answers of the read API as schemas: what its OpenAPI document says, and what tests hold its real answers against.
import { z } from 'zod'

import type { MeshEvent } from '../contracts/mesh-event.ts'
import { problemCodes } from '../contracts/problem.ts'
import type { Problem, ProblemCode } from '../contracts/problem.ts'
import type {
  ConfigurationView,
  DocumentPlace,
  Admission,
  EdgeList,
  EdgeView,
  EndpointList,
  EventList,
  RequestFault,
  RequestHop,
  RequestList,
  RequestSummary,
  RequestView,
  RevisionDifference,
  RevisionList,
  SecurityView,
  Series,
  ServiceView,
  Topology,
  TopologyEdge,
  TopologyNode,
  TrafficSums,
  WorkloadDetail,
  WorkloadList,
  WorkloadView,
} from '../contracts/read-api.ts'
import { decisionRecord, responseFlag } from '../control/telemetry/record-schema.ts'
import type { Hunk } from '../core/line-difference.ts'

const count = z.int().nonnegative()
const atMs = z.number().describe('Milliseconds since the Unix epoch.')
const health = z.enum(['healthy', 'degraded', 'failing', 'idle'])
const durationMs = z.strictObject({ p50: z.number(), p90: z.number(), p95: z.number(), p99: z.number() })
const signals = { requests: count, failed: count, durationMs: durationMs.exactOptional() }
const protocol = z.enum(['http', 'grpc', 'tcp'])
const codes = z.record(z.string(), count)

const node: z.ZodType<TopologyNode> = z.strictObject({
  id: z.string(),
  kind: z.enum(['service', 'workload', 'gateway', 'external', 'outside']),
  namespace: z.string(),
  name: z.string(),
  workloads: z.array(z.string()),
  ready: count,
  ...signals,
  health,
})

const edge: z.ZodType<TopologyEdge> = z.strictObject({
  from: z.string(),
  to: z.string(),
  ...signals,
  protocols: z.array(protocol),
  mtls: z.enum(['all', 'some', 'none', 'unknown']),
  codes,
  health,
})

export const topologyAnswer: z.ZodType<Topology> = z.strictObject({
  atMs,
  windowMs: z.number(),
  revision: z.string(),
  nodes: z.array(node),
  edges: z.array(edge),
})

const edgeView: z.ZodType<EdgeView> = z.strictObject({
  reporter: z.enum(['source', 'gateway', 'destination']),
  source: z.string(),
  sourcePrincipal: z.string(),
  service: z.string(),
  workload: z.string(),
  route: z.string(),
  protocol,
  ...signals,
  codes,
  mtls: count,
  plaintext: count,
})

export const edgesAnswer: z.ZodType<EdgeList> = z.strictObject({ edges: z.array(edgeView) })

const place: z.ZodType<DocumentPlace> = z.strictObject({
  id: z.string(),
  file: z.string().exactOptional(),
  line: z.int().exactOptional(),
})

const counts = z.array(count)

export const trafficAnswer: z.ZodType<TrafficSums> = z.strictObject({
  atMs,
  windowMs: z.number(),
  sums: z.array(
    z.strictObject({
      from: z.string().exactOptional(),
      to: z.string().exactOptional(),
      source: z.string().exactOptional(),
      service: z.string().exactOptional(),
      workload: z.string().exactOptional(),
      route: z.string().exactOptional(),
      ...signals,
      mtls: z.enum(['all', 'some', 'none', 'unknown']),
      codes,
      health,
      document: place.exactOptional(),
      history: z.strictObject({ stepMs: z.number(), requests: counts, failed: counts }).exactOptional(),
    }),
  ),
})

const workload: z.ZodType<WorkloadView> = z.strictObject({
  namespace: z.string(),
  name: z.string(),
  spiffeId: z.string(),
  state: z.enum(['waiting', 'starting', 'ready', 'failing', 'stopping']).exactOptional(),
  reason: z.string().exactOptional(),
  restarts: count,
  zone: z.string(),
  certificateNotAfterMs: z.number().exactOptional(),
  proxyConnected: z.boolean(),
  proxyRevision: z.string().exactOptional(),
  labels: z.record(z.string(), z.string()),
  document: place,
  ...signals,
})

export const workloadsAnswer: z.ZodType<WorkloadList> = z.strictObject({
  windowMs: z.number(),
  workloads: z.array(workload),
})

const admission: z.ZodType<Admission> = z.strictObject({
  subject: z.string(),
  peerAuthentication: z.array(z.string()),
  byDefault: z.enum(['allowed', 'refused']),
  policies: z.array(
    z.strictObject({
      id: z.string(),
      file: z.string().exactOptional(),
      line: z.int().exactOptional(),
      action: z.enum(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM']),
      dryRun: z.boolean(),
      callers: z.array(z.string()),
      isNarrowed: z.boolean(),
    }),
  ),
})

export const workloadAnswer: z.ZodType<WorkloadDetail> = z.strictObject({
  windowMs: z.number(),
  workload,
  services: z.array(z.string()),
  policies: z.array(place),
  admission,
  telemetry: z.strictObject({
    metrics: z.boolean(),
    decisionRecords: z.boolean(),
    accessLog: z.boolean(),
    traces: z.boolean(),
    documents: z.array(place),
  }),
  answered: z.array(edgeView),
  sent: z.array(edgeView),
})

export const serviceAnswer: z.ZodType<ServiceView> = z.strictObject({
  id: z.string(),
  namespace: z.string(),
  name: z.string(),
  host: z.string(),
  external: z.boolean(),
  ...signals,
  health,
  windowMs: z.number(),
  ports: z.array(z.strictObject({ name: z.string(), port: z.int(), protocol: z.string() })),
  document: place,
  policies: z.array(place),
  workloads: z.array(workload),
  passedOver: z.array(z.strictObject({ by: z.string(), ejected: count, unhealthy: count })),
  routes: z.array(z.strictObject({ route: z.string(), ...signals, codes, health, document: place.exactOptional() })),
  callers: z.array(edge),
  calls: z.array(edge),
})

export const endpointsAnswer: z.ZodType<EndpointList> = z.strictObject({
  asked: z.array(z.string()),
  silent: z.array(z.string()),
  endpoints: z.array(
    z.strictObject({
      address: z.string(),
      workload: z.string().exactOptional(),
      activeRequests: count,
      passedOver: z.array(z.strictObject({ by: z.string(), why: z.string() })),
    }),
  ),
})

export const seriesAnswer: z.ZodType<Series> = z.strictObject({
  stepMs: z.number(),
  knownSinceMs: atMs,
  points: z.array(z.strictObject({ atMs, ...signals })),
  history: z.strictObject({ source: z.literal('prometheus'), problem: z.string().exactOptional() }).exactOptional(),
})

const event: z.ZodType<MeshEvent> = z.strictObject({
  id: z.int(),
  atMs,
  kind: z.enum(['configuration', 'problem', 'workload', 'proxy', 'endpoint', 'certificate', 'tap']),
  severity: z.enum(['info', 'warning', 'error']),
  subject: z.string().exactOptional(),
  message: z.string(),
  revision: z.string().exactOptional(),
  documents: z.array(z.string()).exactOptional(),
})

export const eventsAnswer: z.ZodType<EventList> = z.strictObject({ events: z.array(event) })

export const revisionsAnswer: z.ZodType<RevisionList> = z.strictObject({
  revisions: z.array(z.strictObject({ revision: z.int(), atMs, changed: z.array(z.string()) })),
})

const hunk: z.ZodType<Hunk> = z.strictObject({
  beforeStart: count,
  beforeCount: count,
  afterStart: count,
  afterCount: count,
  lines: z.array(z.strictObject({ mark: z.enum([' ', '-', '+']), text: z.string() })),
})

export const differenceAnswer: z.ZodType<RevisionDifference> = z.strictObject({
  from: z.int(),
  to: z.int(),
  documents: z.array(
    z.strictObject({ id: z.string(), action: z.enum(['created', 'changed', 'deleted']), hunks: z.array(hunk) }),
  ),
})

const problem: z.ZodType<Problem> = z.strictObject({
  code: z.enum(Object.keys(problemCodes) as [ProblemCode, ...ProblemCode[]]),
  severity: z.enum(['error', 'warning']),
  message: z.string(),
  hint: z.string().exactOptional(),
  position: z.strictObject({ file: z.string(), line: z.int(), column: z.int() }).exactOptional(),
  document: z.string().exactOptional(),
  path: z.string().exactOptional(),
})

export const configurationAnswer: z.ZodType<ConfigurationView> = z.strictObject({
  revision: z.string(),
  problems: z.array(problem),
  documents: z.array(place),
})

export const securityAnswer: z.ZodType<SecurityView> = z.strictObject({
  windowMs: z.number(),
  plaintext: z.array(edge),
  refused: z.array(z.strictObject({ from: z.string(), to: z.string(), requests: count })),
  admissions: z.array(admission),
  certificates: z.array(
    z.strictObject({ holder: z.string(), spiffeId: z.string().exactOptional(), notAfterMs: z.number() }),
  ),
})

const fault: z.ZodType<RequestFault> = z.strictObject({
  proxy: z.string(),
  reason: z.string(),
  source: z.string().exactOptional(),
})

const requestFields = {
  id: z.string(),
  startMs: atMs,
  durationMs: z.number(),
  source: z.string(),
  service: z.string(),
  method: z.string(),
  authority: z.string(),
  path: z.string(),
  status: count,
  grpcStatus: count.exactOptional(),
  flags: z.array(responseFlag),
  hops: count,
  fault: fault.exactOptional(),
}
const summary: z.ZodType<RequestSummary> = z.strictObject(requestFields)
const hop: z.ZodType<RequestHop> = z.strictObject({
  depth: count,
  parent: count.exactOptional(),
  attempt: count.exactOptional(),
  offsetMs: z.number(),
  fault: fault.exactOptional(),
  record: decisionRecord,
})

export const requestsAnswer: z.ZodType<RequestList> = z.strictObject({ requests: z.array(summary) })

export const requestAnswer: z.ZodType<RequestView> = z.strictObject({
  ...requestFields,
  requestIds: z.array(z.string()),
  traceIds: z.array(z.string()),
  waterfall: z.array(hop),
})
