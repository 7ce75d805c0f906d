// What the read API says of a running mesh: to the page, to terminals and to whoever asks by OpenAPI. Every path starts with /v1.
import type { Hunk } from '../core/line-difference.ts'
import type { DecisionRecord, ResponseFlag } from './decision-record.ts'
import type { MeshEvent } from './mesh-event.ts'
import type { Problem } from './problem.ts'

/** Milliseconds. */
export interface DurationQuantiles {
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
}

/** Of the time that was asked about. */
export interface Signals {
  readonly requests: number
  /** Answers of 500 and above, none at all, gRPC statuses for which the server is to blame, connections that could not be made. */
  readonly failed: number
  /** Absent without a request that took time. */
  readonly durationMs?: DurationQuantiles
}

/** `failing`: one request of twenty failed, or nothing is ready. `degraded`: one of a hundred, or not all is ready. `idle`: no request. */
export type Health = 'healthy' | 'degraded' | 'failing' | 'idle'

export interface TopologyNode extends Signals {
  /** "service/default/reviews", "workload/default/web", "gateway/default/public", "external/api.example.com", "outside". */
  readonly id: string
  /** `workload`: one that is behind no Service. `outside`: callers without a proxy of the mesh, or what is called that the mesh does not know. */
  readonly kind: 'service' | 'workload' | 'gateway' | 'external' | 'outside'
  /** Empty where there is none. */
  readonly namespace: string
  readonly name: string
  /** "namespace/name" of the workloads behind it. */
  readonly workloads: readonly string[]
  /** How many of them are ready. */
  readonly ready: number
  readonly health: Health
}

/** Requests from one node to another, of all routes and workloads. */
export interface TopologyEdge extends Signals {
  readonly from: string
  readonly to: string
  readonly protocols: readonly ('http' | 'grpc' | 'tcp')[]
  /** Of all its requests; `unknown`: no endpoint got any, or the connection is not looked into. */
  readonly mtls: 'all' | 'some' | 'none' | 'unknown'
  /** Requests by HTTP status, "0" for none; of gRPC by "grpc <status>"; of connections "opened" and "failed". */
  readonly codes: Readonly<Record<string, number>>
  readonly health: Health
}

export interface Topology {
  readonly atMs: number
  /** The signals are of so long before `atMs`: as asked, or since the control plane started. */
  readonly windowMs: number
  readonly revision: string
  readonly nodes: readonly TopologyNode[]
  readonly edges: readonly TopologyEdge[]
}

export interface WorkloadView extends Signals {
  readonly namespace: string
  readonly name: string
  readonly spiffeId: string
  /** As the supervisor says; absent when something else runs it. */
  readonly state?: 'waiting' | 'starting' | 'ready' | 'failing' | 'stopping'
  readonly reason?: string
  readonly restarts: number
  readonly zone: string
  /** When its proxy's certificate ends, milliseconds since the Unix epoch; absent: it has not said. */
  readonly certificateNotAfterMs?: number
  readonly proxyConnected: boolean
  /** Newest revision that its proxy runs all of. */
  readonly proxyRevision?: string
  readonly labels: Readonly<Record<string, string>>
  readonly document: DocumentPlace
}

export interface WorkloadList {
  readonly windowMs: number
  readonly workloads: readonly WorkloadView[]
}

/** One workload: what it answers, and which Services lead to it. */
export interface WorkloadDetail {
  readonly windowMs: number
  readonly workload: WorkloadView
  /** Ids of nodes: "service/default/reviews". */
  readonly services: readonly string[]
  /** Those Services, and what is written about them. */
  readonly policies: readonly DocumentPlace[]
  /** Who is let in. */
  readonly admission: Admission
  readonly telemetry: TelemetryView
  /** As its proxies report: requests that it answered, and those that it sent. */
  readonly answered: readonly EdgeView[]
  readonly sent: readonly EdgeView[]
}

/** Edges as proxies report them: by workload, route and protocol. */
export interface EdgeList {
  readonly edges: readonly EdgeView[]
}

export interface EdgeView extends Signals {
  /** Whose proxy counted. `destination`: of callers that have no proxy that counts. */
  readonly reporter: 'source' | 'gateway' | 'destination'
  /** "namespace/name"; empty when it is not known, as all that follows. */
  readonly source: string
  /** SPIFFE ID. */
  readonly sourcePrincipal: string
  /** "reviews.default.svc.cluster.local". */
  readonly service: string
  /** "namespace/name" of the workload that answered. */
  readonly workload: string
  readonly route: string
  readonly protocol: 'http' | 'grpc' | 'tcp'
  readonly codes: Readonly<Record<string, number>>
  /** Of the requests that an endpoint got, those with mutual TLS and those without. Connections of bytes are in neither. */
  readonly mtls: number
  readonly plaintext: number
}

/** What requests may be summed by: nodes of the topology, or what proxies report. */
export const trafficKeys = ['from', 'to', 'source', 'service', 'workload', 'route'] as const
export type TrafficKey = (typeof trafficKeys)[number]

export interface TrafficSums {
  readonly atMs: number
  /** Whole seconds before `atMs`: as asked, or as far as anything is known. */
  readonly windowMs: number
  readonly sums: readonly TrafficSum[]
}

/** Requests that have in common what was asked for, which alone is there of `trafficKeys`. */
export interface TrafficSum extends Signals, Readonly<Partial<Record<TrafficKey, string>>> {
  readonly mtls: TopologyEdge['mtls']
  readonly codes: Readonly<Record<string, number>>
  readonly health: Health
  /** Where its route is written; absent when nobody wrote one, or not any more. */
  readonly document?: DocumentPlace
  /** Absent unless asked for. */
  readonly history?: TrafficHistoryView
}

/** By parts of the time, oldest first; the oldest may be shorter than the others. */
export interface TrafficHistoryView {
  readonly stepMs: number
  readonly requests: readonly number[]
  readonly failed: readonly number[]
}

/** Where something is written. */
export interface DocumentPlace {
  /** "TrafficPolicy/default/reviews". */
  readonly id: string
  readonly file?: string
  readonly line?: number
}

export interface ServiceView extends Signals {
  readonly id: string
  readonly namespace: string
  readonly name: string
  readonly host: string
  readonly external: boolean
  readonly health: Health
  readonly windowMs: number
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[]
  readonly document: DocumentPlace
  /** Routes and policies that name it. */
  readonly policies: readonly DocumentPlace[]
  readonly workloads: readonly WorkloadView[]
  /** Callers that pass over some of its endpoints right now: ejected by outlier detection, unhealthy by health checks. */
  readonly passedOver: readonly { readonly by: string; readonly ejected: number; readonly unhealthy: number }[]
  /** That requests to it took, as callers count them. */
  readonly routes: readonly RouteView[]
  /** Edges that end here, and those that begin here. */
  readonly callers: readonly TopologyEdge[]
  readonly calls: readonly TopologyEdge[]
}

/** Endpoints of a Service as the proxies of its busiest callers see them right now. */
export interface EndpointList {
  /** "namespace/name" of those that answered, and of those that did not. */
  readonly asked: readonly string[]
  readonly silent: readonly string[]
  readonly endpoints: readonly EndpointView[]
}

export interface EndpointView {
  /** "127.0.0.1:20005". */
  readonly address: string
  /** "namespace/name"; absent: it is none of the mesh. */
  readonly workload?: string
  /** Under way, of those that were asked. */
  readonly activeRequests: number
  /** Who sends it nothing: why outlier detection ejected it, or what its health check said. */
  readonly passedOver: readonly { readonly by: string; readonly why: string }[]
}

export interface RouteView extends Signals {
  /** "default/reviews/0", "default". Empty: it took none. */
  readonly route: string
  readonly codes: Readonly<Record<string, number>>
  readonly health: Health
  /** Where it is written; absent when nobody wrote one, or not any more. */
  readonly document?: DocumentPlace
}

export interface Series {
  readonly stepMs: number
  /** Of what was before, nobody knows anything. */
  readonly knownSinceMs: number
  readonly points: readonly SeriesPoint[]
  /** Who is asked for what the control plane does not know itself; `problem`: why it has not said. Absent: nobody. */
  readonly history?: { readonly source: 'prometheus'; readonly problem?: string }
}

export interface SeriesPoint extends Signals {
  /** When it begins. */
  readonly atMs: number
}

export interface EventList {
  /** Oldest first. */
  readonly events: readonly MeshEvent[]
}

export interface RevisionList {
  /** Newest first. */
  readonly revisions: readonly {
    readonly revision: number
    readonly atMs: number
    readonly changed: readonly string[]
  }[]
}

/** What two revisions differ in. */
export interface RevisionDifference {
  readonly from: number
  readonly to: number
  readonly documents: readonly DocumentDifference[]
}

export interface DocumentDifference {
  /** "TrafficPolicy/default/reviews". */
  readonly id: string
  readonly action: 'created' | 'changed' | 'deleted'
  /** Of its YAML; empty where so many documents differ that not all are shown. */
  readonly hunks: readonly Hunk[]
}

export interface ConfigurationView {
  readonly revision: string
  readonly problems: readonly Problem[]
  readonly documents: readonly DocumentPlace[]
}

/** Who is let in to a workload or gateway. */
export interface Admission {
  /** "Workload/default/web". */
  readonly subject: string
  /** Modes of its ports; empty of a gateway. */
  readonly peerAuthentication: readonly string[]
  /** What no policy says anything about. */
  readonly byDefault: 'allowed' | 'refused'
  readonly policies: readonly AdmissionPolicy[]
}

/** What a workload's proxy tells of its requests. */
export interface TelemetryView {
  /** False: it counts none, and what is shown of it is what others count. */
  readonly metrics: boolean
  /** Of requests that failed, were slow or are sampled. */
  readonly decisionRecords: boolean
  readonly accessLog: boolean
  readonly traces: boolean
  /** Telemetry documents that say so, the widest scope first. Empty: the MeshConfig does. */
  readonly documents: readonly DocumentPlace[]
}

export interface AdmissionPolicy extends DocumentPlace {
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM'
  readonly dryRun: boolean
  /** In the words of its rules: "namespaces: shop; not principals: …", "anybody". */
  readonly callers: readonly string[]
  /** A rule also asks for hosts, methods, paths or conditions. */
  readonly isNarrowed: boolean
}

export interface SecurityView {
  readonly windowMs: number
  /** Edges with requests that came without mutual TLS. */
  readonly plaintext: readonly TopologyEdge[]
  /** Edges with requests that were refused (401, 403, gRPC 7 and 16), and how many. */
  readonly refused: readonly { readonly from: string; readonly to: string; readonly requests: number }[]
  readonly admissions: readonly Admission[]
  readonly certificates: readonly {
    /** "sidecar default/web", "gateway default/public", "root" or "intermediate". */
    readonly holder: string
    readonly spiffeId?: string
    readonly notAfterMs: number
  }[]
}

/** Requests that failed, were repeated, were slow or are sampled, as far as proxies have told of them and the control plane still knows them. */
export interface RequestList {
  /** Newest first. */
  readonly requests: readonly RequestSummary[]
}

/** A request, as the outermost hop that is known of it saw it. */
export interface RequestSummary {
  /** To ask for all of it. */
  readonly id: string
  /** Milliseconds since the Unix epoch. */
  readonly startMs: number
  readonly durationMs: number
  /** "namespace/name", a SPIFFE ID or an address: what is known of who asked. */
  readonly source: string
  /** Its host; empty: none was found. */
  readonly service: string
  readonly method: string
  readonly authority: string
  readonly path: string
  /** 0: it ended without one. */
  readonly status: number
  readonly grpcStatus?: number
  /** Of all hops. */
  readonly flags: readonly ResponseFlag[]
  readonly hops: number
  /** Where it went wrong first, as far as one can tell. */
  readonly fault?: RequestFault
}

export interface RequestFault {
  /** Whose proxy says so: "namespace/name". */
  readonly proxy: string
  /** For a person. */
  readonly reason: string
  /** Where the rule that refused it is written: "mesh.yaml:12". */
  readonly source?: string
}

export interface RequestView extends RequestSummary {
  readonly requestIds: readonly string[]
  readonly traceIds: readonly string[]
  /** As a waterfall: each behind the hop that it came from, and those by time. */
  readonly waterfall: readonly RequestHop[]
}

export interface RequestHop {
  /** 0: nothing is known before it. */
  readonly depth: number
  /** Index of the hop it came from, and of its attempt. */
  readonly parent?: number
  readonly attempt?: number
  /** After the start of the request. */
  readonly offsetMs: number
  /** Absent where it went well, or handed on what went wrong behind it. */
  readonly fault?: RequestFault
  readonly record: DecisionRecord
}

/** How a tap does: sent every two seconds among its records. */
export interface TapView {
  /** "namespace/name" of the proxies that answer, and of those that do not. */
  readonly answering: readonly string[]
  readonly silent: readonly string[]
  /** Records that were left out since it began: they came too fast. */
  readonly leftOut: number
}

/** Why a condition on decision records is none. */
export interface RecordConditionFault {
  readonly message: string
  /** Of the first character of what is wrong. */
  readonly offset: number
}
