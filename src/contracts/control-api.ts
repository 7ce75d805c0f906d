// What the control plane's HTTP API and those who ask it (CLI, supervisor, dashboard) say to each other. Every path starts with /v1.
import type { BundleKey } from './identity/jwt-svid.ts'
import type { Problem, SourcePosition } from './problem.ts'

/** A document in force, as `get -o yaml` shows it. */
export interface DocumentView {
  readonly apiVersion: string
  readonly kind: string
  /** Empty for kinds without a namespace. */
  readonly namespace: string
  readonly name: string
  /** Whoever applied a document may delete it; one from a file is changed in the file. */
  readonly origin: { readonly kind: 'file'; readonly position: SourcePosition } | { readonly kind: 'store' }
  /** Complete: metadata, spec with every default filled in, status. */
  readonly document: Readonly<Record<string, unknown>>
  /** Which of its values nobody wrote: dotted path → where the default comes from ("Heddle", "MeshConfig/default"). */
  readonly defaults: Readonly<Record<string, string>>
}

export interface DocumentKey {
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

export interface AppliedDocument extends DocumentKey {
  readonly action: 'created' | 'changed' | 'unchanged' | 'deleted'
  /** As in DocumentView.document without the status; absent when there was none, or is none any more. */
  readonly before?: Readonly<Record<string, unknown>>
  readonly after?: Readonly<Record<string, unknown>>
}

/** With an error among the problems nothing was applied. */
export interface ApplyResult {
  readonly revision: string
  readonly documents: readonly AppliedDocument[]
  readonly problems: readonly Problem[]
}

/** What the control plane knows about one data-plane client. */
export interface ProxyStatus {
  /** "sidecar~default~web". */
  readonly id: string
  readonly connected: boolean
  /** Milliseconds since the Unix epoch: of the present connection, or of the end of the last one. */
  readonly sinceMs: number
  /** Newest revision of which it acknowledged everything it subscribes to. */
  readonly ackedRevision?: string
  readonly ackedAtMs?: number
  readonly lastNack?: {
    readonly typeUrl: string
    readonly message: string
    readonly atMs: number
    /** No newer acknowledgement of that type yet: the proxy still runs what it had before. */
    readonly current: boolean
  }
}

/** For whom a join token is to be made: a workload's sidecar, or a gateway. */
export interface JoinTokenRequest {
  readonly kind: 'sidecar' | 'gateway'
  readonly namespace: string
  readonly name: string
  /** How many keys it serves, that is, how often a proxy may join with it; absent: 1. */
  readonly uses?: number
  /** "10m"; absent: that. */
  readonly ttl?: string
}

/** A RouteConfiguration as a sidecar gets it. */
export interface RoutesView {
  /** The serialised message, in base64. */
  readonly body: string
}

export interface JoinToken {
  /** What it is called where it must not be shown. */
  readonly id: string
  readonly token: string
  readonly spiffeId: string
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number
}

/** A join token as it is listed: the token itself is shown once, when it is made. */
export interface JoinTokenView {
  readonly id: string
  /** Node id, "sidecar~default~web". */
  readonly proxy: string
  readonly spiffeId: string
  readonly uses: number
  readonly used: number
  readonly createdAtMs: number
  readonly expiresAtMs: number
}

export interface JoinTokenList {
  readonly tokens: readonly JoinTokenView[]
  /** Requests for certificates that were refused since the control plane started, by reason. */
  readonly refusals: Readonly<Record<string, number>>
}

/** What a token of the API may do: read; also apply and delete documents; also make tokens and join proxies. */
export type ApiRole = 'viewer' | 'operator' | 'admin'

/** A token of the API as it is listed: the token itself is shown once, when it is made. */
export interface ApiToken {
  readonly name: string
  readonly role: ApiRole
  /** Milliseconds since the Unix epoch. */
  readonly createdAtMs: number
}

/** Body of every answer that is not 2xx. */
export interface ApiError {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly problems?: readonly Problem[]
}

export type RotationKind = 'root' | 'intermediate'

/**
 * `distribute`: every proxy learns to trust the new root. `switch`: every proxy renews its certificate under what is new. `retire`: every proxy
 * forgets the old root.
 */
export type RotationPhase = 'distribute' | 'switch' | 'retire'

export interface AuthorityCertificate {
  readonly role: 'root' | 'intermediate'
  /** `next`: trusted, and does not sign yet. `retiring`: trusted, and signs no more. */
  readonly use: 'signing' | 'next' | 'retiring'
  /** Hexadecimal, upper case. */
  readonly serialNumber: string
  /** Milliseconds since the Unix epoch. */
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** A key of JWT-SVIDs. */
export interface AuthorityJwtKey {
  /** Its thumbprint (RFC 7638), as tokens name it. */
  readonly kid: string
  /** `next`: verifies, and does not sign yet. `retiring`: verifies until its last token has ended. */
  readonly use: 'signing' | 'next' | 'retiring'
  /** When that ends: it signs no more, or is forgotten. Milliseconds since the Unix epoch. */
  readonly untilMs: number
}

/** Of everything that an identity was given: certificates and join tokens. */
export interface Revocation {
  readonly spiffeId: string
  /** In the words of whoever revoked it; may be empty. */
  readonly reason: string
  /** Certificates whose validity began then or before are refused: their notBefore, milliseconds since the Unix epoch, whole seconds. */
  readonly notBeforeMs: number
  /** Join tokens made then or before are refused. */
  readonly revokedAtMs: number
  /** All that it is about has ended by then, and so does it. */
  readonly endsAtMs: number
}

/** As it is listed. */
export interface RevocationStatus extends Revocation {
  /** Proxies that have yet to say that they refuse it ("sidecar~default~web"): they are not connected, or about to. */
  readonly waitingFor: readonly string[]
}

/**
 * With less of its life left a certificate of the authority is a problem. An intermediate of the embedded root is replaced with a third left: below
 * this nobody does it by itself.
 */
export const authorityWarningShare = 0.2

export interface AuthorityStatus {
  readonly trustDomain: string
  readonly certificates: readonly AuthorityCertificate[]
  readonly revocations: readonly RevocationStatus[]
  readonly jwtKeys: readonly AuthorityJwtKey[]
  /** Absent when none is under way. */
  readonly rotation?: RotationStatus
  /** Absent where none is set up. */
  readonly federation?: FederationStatus
}

export interface FederationStatus {
  /** The others that are to be trusted. */
  readonly trustDomains: readonly FederatedDomainStatus[]
  /** Why the mesh's own bundle cannot be served where it should be. */
  readonly bundleEndpointFault?: string
}

export interface FederatedDomainStatus {
  readonly trustDomain: string
  /** URL of its bundle endpoint, or the file; "MeshConfig" when the bundle stands there. */
  readonly source: string
  /** Of the bundle in force. None: nobody of the domain is trusted. */
  readonly roots: number
  readonly jwtKeys: number
  readonly sequence?: number
  /** When the bundle was last got, milliseconds since the Unix epoch; absent: before the control plane started. */
  readonly updatedAtMs?: number
  /** Why there is no newer one. */
  readonly fault?: string
}

/** The mesh's own trust bundle, as others read it (SPIFFE Trust Domain and Bundle standard). */
export interface TrustBundleDocument {
  readonly keys: readonly BundleKey[]
  /** Grows with every change. */
  readonly spiffe_sequence: number
  /** Seconds after which whoever uses it should look again. */
  readonly spiffe_refresh_hint: number
}

export interface RotationStatus {
  readonly kind: RotationKind
  readonly phase: RotationPhase
  readonly startedAtMs: number
  readonly phaseSinceMs: number
  /** The phase waits no longer than until then: what a proxy that is away holds has ended. */
  readonly phaseEndsByMs: number
  /** Nor does it end before then: so long have those who read our trust bundle elsewhere. Absent: nobody is given time. */
  readonly heldUntilMs?: number
  /**
   * Proxies that are not there yet ("sidecar~default~web"), and SPIFFE IDs that hold valid certificates though the mesh has no document of
   * them.
   */
  readonly waitingFor: readonly string[]
}
