// Who may ask what of whom: policies as written (Istio's AuthorizationPolicy), and the role-based rules that a listener enforces
// (envoy.config.rbac.v3).
import type { SourceLocation } from '../../contracts/decision-record.ts'
import type { CelExpression } from '../../core/cel/expression.ts'

export type AuthorizationAction = 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM'

/** As written in a document, defaults filled in. */
export interface AuthorizationPolicySpec {
  readonly action: AuthorizationAction
  readonly rules?: readonly AuthorizationRule[]
  readonly provider?: { readonly name: string }
  readonly dryRun: boolean
  readonly reauthorize: boolean
}

/** Matches when one source, one operation and all conditions do. What is absent matches everything. */
export interface AuthorizationRule {
  readonly from?: readonly { readonly source: AuthorizationSource }[]
  readonly to?: readonly { readonly operation: AuthorizationOperation }[]
  readonly when?: readonly AuthorizationCondition[]
  /** In CEL: must hold too. */
  readonly condition?: string
}

/** All fields must match; of a field one value, of a negated field none. */
export interface AuthorizationSource {
  readonly principals?: readonly string[]
  readonly notPrincipals?: readonly string[]
  readonly requestPrincipals?: readonly string[]
  readonly notRequestPrincipals?: readonly string[]
  readonly namespaces?: readonly string[]
  readonly notNamespaces?: readonly string[]
  readonly serviceAccounts?: readonly string[]
  readonly notServiceAccounts?: readonly string[]
  readonly ipBlocks?: readonly string[]
  readonly notIpBlocks?: readonly string[]
  readonly remoteIpBlocks?: readonly string[]
  readonly notRemoteIpBlocks?: readonly string[]
}

export interface AuthorizationOperation {
  readonly hosts?: readonly string[]
  readonly notHosts?: readonly string[]
  readonly ports?: readonly string[]
  readonly notPorts?: readonly string[]
  readonly methods?: readonly string[]
  readonly notMethods?: readonly string[]
  readonly paths?: readonly string[]
  readonly notPaths?: readonly string[]
}

/** At least one of `values` and `notValues` is there. */
export interface AuthorizationCondition {
  readonly key: string
  readonly values?: readonly string[]
  readonly notValues?: readonly string[]
}

/** One policy that applies to a workload. */
export interface AppliedPolicy {
  /** "AuthorizationPolicy/default/name". */
  readonly name: string
  readonly source: SourceLocation
  /** Of each rule. */
  readonly ruleSources: readonly SourceLocation[]
  readonly spec: AuthorizationPolicySpec
  /** Of the policy. */
  readonly namespace: string
}

/** What a listener enforces, one of several in the order of evaluation. */
export interface RbacFilterSpec {
  readonly enforced?: RbacRules
  /** Evaluated and reported, never enforced. */
  readonly shadow?: RbacRules
}

export interface RbacRules {
  /** ALLOW refuses what no policy matches, DENY what one matches; LOG refuses nothing. */
  readonly action: 'ALLOW' | 'DENY' | 'LOG'
  readonly policies: readonly RbacPolicy[]
}

/** Matches when one of its permissions and one of its principals do, and its condition holds. */
export interface RbacPolicy {
  /** Policy and rule: "AuthorizationPolicy/default/reviews/0". */
  readonly name: string
  readonly source?: SourceLocation
  readonly permissions: readonly Permission[]
  readonly principals: readonly Principal[]
  /** What cannot be told counts against the request: it holds where the policy denies, and does not where it allows. */
  readonly condition?: CelExpression
}

/** `present`: any text that is not empty. A regular expression matches the whole text. */
export type TextMatch =
  | {
      readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains'
      readonly value: string
      readonly ignoreCase: boolean
    }
  | { readonly kind: 'regex'; readonly value: string }
  | { readonly kind: 'present' }

/** "present" and "absent" look only for the header itself, whose value may be empty. `name` in lower case; ":method" and ":authority" too. */
export interface HeaderMatch {
  readonly kind: 'header'
  readonly name: string
  readonly match: TextMatch | 'present' | 'absent'
}

/** Of the path without query. */
export interface PathMatch {
  readonly kind: 'path'
  readonly match: TextMatch
}

export interface IpBlock {
  /** IPv4 or IPv6. */
  readonly address: string
  readonly prefixLength: number
}

/** Of a verified token: names of claims, one inside the other. */
export interface ClaimMatch {
  readonly kind: 'claim'
  readonly path: readonly string[]
  readonly value: ClaimValueMatch
}

export type ClaimValueMatch =
  | { readonly kind: 'text'; readonly match: TextMatch }
  | { readonly kind: 'element'; readonly value: ClaimValueMatch }
  | { readonly kind: 'or'; readonly values: readonly ClaimValueMatch[] }
  | { readonly kind: 'present' }

/** Of a SPIFFE ID of any trust domain. */
export interface WorkloadMatch {
  readonly kind: 'workload'
  readonly namespace: string
  /** Undefined: any. */
  readonly serviceAccount: string | undefined
}

export type Permission =
  | { readonly kind: 'any' }
  | { readonly kind: 'and'; readonly rules: readonly Permission[] }
  | { readonly kind: 'or'; readonly rules: readonly Permission[] }
  | { readonly kind: 'not'; readonly rule: Permission }
  | HeaderMatch
  | PathMatch
  /** Path template: `*` stands for one segment, `**` for any number of characters. */
  | { readonly kind: 'template'; readonly template: string }
  | { readonly kind: 'destinationIp'; readonly block: IpBlock }
  /** Both included. */
  | { readonly kind: 'destinationPort'; readonly from: number; readonly to: number }
  | { readonly kind: 'serverName'; readonly match: TextMatch }
  | ClaimMatch

export type Principal =
  | { readonly kind: 'any' }
  | { readonly kind: 'and'; readonly rules: readonly Principal[] }
  | { readonly kind: 'or'; readonly rules: readonly Principal[] }
  | { readonly kind: 'not'; readonly rule: Principal }
  /** Of the SPIFFE ID that the peer's certificate showed. */
  | { readonly kind: 'authenticated'; readonly match: TextMatch }
  | WorkloadMatch
  | { readonly kind: 'directRemoteIp' | 'remoteIp'; readonly block: IpBlock }
  | HeaderMatch
  | PathMatch
  | ClaimMatch
