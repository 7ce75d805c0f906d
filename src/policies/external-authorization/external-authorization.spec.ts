// A server beside the mesh that is asked whether a request may pass (Envoy's ext_authz), what it is asked and what it answers.

/** Names of headers: "x-a", "x-*", "*-id", or "*" for any. They do not differ by case. */
export type HeaderPattern = string

export interface GrpcAuthorizationService {
  readonly kind: 'grpc'
  readonly cluster: string
}

export interface HttpAuthorizationService {
  readonly kind: 'http'
  readonly cluster: string
  /** Put before the path that is asked about. */
  readonly pathPrefix: string
  /** Headers of an answer of 200 that replace those of the request; empty: none. */
  readonly headersToUpstreamOnAllow: readonly HeaderPattern[]
  /** Headers of any other answer that the caller gets; empty: all. */
  readonly headersToDownstreamOnDeny: readonly HeaderPattern[]
}

/** How much of a request's body the server is shown, with Envoy's names. */
export interface RequestBodyInCheck {
  /** So much waits in memory for each request that is asked about. */
  readonly maxRequestBytes: number
  /** A longer body is shown in part, instead of being refused. */
  readonly allowPartialMessage: boolean
  /** By gRPC: as bytes, instead of as a text in UTF-8. */
  readonly packAsBytes: boolean
}

export interface ExternalAuthorizationSpec {
  readonly service: GrpcAuthorizationService | HttpAuthorizationService
  /** For one question. */
  readonly timeoutMs: number
  /** The request goes on when there is no answer. */
  readonly failOpen: boolean
  /** What the caller gets when there is none and it does not. */
  readonly statusOnError: number
  /** Those that the server is told. Empty: all by gRPC, `Authorization` alone by HTTP, where that is always among them. */
  readonly headersInCheck: readonly HeaderPattern[]
  /** Undefined: bodies are not waited for. */
  readonly requestBody?: RequestBodyInCheck
}

/** A question. */
export interface AuthorizationCheck {
  readonly source: { readonly address: string; readonly principal: string | undefined }
  readonly destination: { readonly address: string; readonly port: number; readonly principal: string | undefined }
  readonly sni: string | undefined
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number
  readonly method: string
  readonly scheme: string
  readonly authority: string
  /** With query. */
  readonly path: string
  /** In lower case, each once. */
  readonly headers: ReadonlyMap<string, string>
  /** A text where the server is to get one. Undefined: the request has none, or the server is not shown it. */
  readonly body?: Uint8Array | string
}

export interface HeaderChange {
  /** Lower case. */
  readonly name: string
  readonly value: string
  readonly how: 'set' | 'add' | 'add-if-absent' | 'set-if-present'
}

/** `http` is the plain answer of a server that is asked by HTTP. */
export type AuthorizationAnswer =
  | { readonly kind: 'allowed'; readonly changes: readonly HeaderChange[]; readonly remove: readonly string[] }
  | {
      readonly kind: 'denied'
      readonly status: number
      readonly changes: readonly HeaderChange[]
      readonly body: string
    }
  | {
      readonly kind: 'http'
      readonly status: number
      /** Names, in lower case, and values. */
      readonly headers: readonly (readonly [name: string, value: string])[]
      readonly body: string
    }

/** Rejects when there is no answer; `signal`: nobody waits for one any more. */
export type AskAuthorization = (check: AuthorizationCheck, signal: AbortSignal) => Promise<AuthorizationAnswer>
