// Which JSON Web Tokens a workload takes as proof of whom a request is from (RequestAuthentication).
import type { SourceLocation } from '../../contracts/decision-record.ts'

/** A header whose value is `prefix` and the token. Neither name nor prefix differ by case. */
export interface TokenHeader {
  readonly name: string
  readonly prefix: string
}

export interface ClaimHeader {
  readonly header: string
  /** Name of a claim; dots lead into objects. */
  readonly claim: string
}

/** Tokens of one issuer. Has either `jwks` or `jwksUri`. Without any location: `Authorization: Bearer` and the parameter `access_token`. */
export interface JwtRule {
  readonly issuer: string
  /** One of them must be among the token's; empty: any. */
  readonly audiences: readonly string[]
  /** Text of a JSON Web Key Set. */
  readonly jwks?: string
  /** Where the JSON Web Key Set is: an http, https or file URL. */
  readonly jwksUri?: string
  /** For one fetch of `jwksUri`. */
  readonly timeoutMs: number
  readonly fromHeaders: readonly TokenHeader[]
  readonly fromParams: readonly string[]
  readonly fromCookies: readonly string[]
  /** Gets the token's payload as it was sent: base64url of JSON. */
  readonly outputPayloadToHeader?: string
  /** The application gets the token too. */
  readonly forwardOriginalToken: boolean
  readonly outputClaimToHeaders: readonly ClaimHeader[]
}

/** A request without token goes on: whether it may is for authorization to say. One with a bad token does not. */
export interface RequestAuthenticationSpec {
  readonly rules: readonly JwtRule[]
  readonly source?: SourceLocation
}
