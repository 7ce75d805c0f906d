// Rewrites ↔ envoy.config.route.v3.RouteAction: host_rewrite_literal, prefix_rewrite, regex_rewrite.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { RouteAction } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type {
  RegexMatchAndSubstitute,
  RegexMatchAndSubstituteSchema,
} from '../../contracts/xds/gen/envoy/type/matcher/v3/regex_pb.ts'
import type { PathMatchSpec } from '../route-match/route-match.spec.ts'
import { escapeRegex } from '../route-match/string-matcher.xds.ts'
import type { PathModifierSpec, RegexRewriteSpec, RewriteSpec } from './rewrite.spec.ts'

type RegexInit = MessageInitShape<typeof RegexMatchAndSubstituteSchema>

export interface PathRewriteInit {
  readonly prefixRewrite?: string
  readonly regexRewrite?: RegexInit
}

export interface RewriteInit extends PathRewriteInit {
  readonly hostRewriteSpecifier?:
    | { readonly case: 'hostRewriteLiteral'; readonly value: string }
    | { readonly case: 'hostRewritePathRegex'; readonly value: RegexInit }
}

export function encodeRewrite(spec: RewriteSpec | undefined, match: PathMatchSpec): RewriteInit {
  return {
    ...(spec?.path === undefined ? {} : encodePathRewrite(spec.path, match)),
    ...(spec?.hostname === undefined
      ? {}
      : { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: spec.hostname } }),
    ...(spec?.hostPattern === undefined
      ? {}
      : { hostRewriteSpecifier: { case: 'hostRewritePathRegex', value: encodeRegex(spec.hostPattern) } }),
  }
}

function encodeRegex({ pattern, substitution }: RegexRewriteSpec): RegexInit {
  return { pattern: { regex: pattern }, substitution }
}

/** The whole path: what a `full` rewrite replaces. */
const wholePath = '^/.*$'

/**
 * Envoy's prefix_rewrite exchanges characters, Gateway API's whole path elements: the replacement loses its trailing slash, gets one where
 * the prefix ends with one ("/"), and is a regex where nothing is to be left of the prefix.
 */
export function encodePathRewrite(spec: PathModifierSpec, match: PathMatchSpec): PathRewriteInit {
  if (spec.kind === 'regex') return { regexRewrite: encodeRegex(spec) }
  const { kind, value } = spec
  if (kind === 'full')
    return { regexRewrite: { pattern: { regex: wholePath }, substitution: escapeSubstitution(value) } }
  const elements = withoutTrailingSlash(value)
  if (match.kind !== 'prefix') return { prefixRewrite: elements === '' ? '/' : elements }
  const prefix = withoutTrailingSlash(match.value)
  if (prefix === '') return { prefixRewrite: `${elements}/` }
  if (elements !== '') return { prefixRewrite: elements }
  return { regexRewrite: { pattern: { regex: prefixPattern(prefix) }, substitution: '/' } }
}

function prefixPattern(prefix: string): string {
  return `^${escapeRegex(prefix)}/*`
}

/** Throws an Error that says what cannot be served. */
export function decodeRewrite(action: RouteAction, match: PathMatchSpec): RewriteSpec | undefined {
  const { hostRewriteSpecifier: host } = action
  if (host.case !== undefined && host.case !== 'hostRewriteLiteral' && host.case !== 'hostRewritePathRegex')
    throw new Error(`${host.case} is not supported`)
  if (action.pathRewritePolicy !== undefined) throw new Error('path_rewrite_policy is not supported')
  const path = decodePathRewrite(action.prefixRewrite, action.regexRewrite, match)
  if (host.case === undefined && path === undefined) return undefined
  return {
    ...(host.case === 'hostRewriteLiteral' ? { hostname: host.value } : {}),
    ...(host.case === 'hostRewritePathRegex' ? { hostPattern: decodeRegex(host.value) } : {}),
    ...(path === undefined ? {} : { path }),
  }
}

/** Throws an Error that says what cannot be served. */
export function decodePathRewrite(
  prefixRewrite: string,
  regexRewrite: RegexMatchAndSubstitute | undefined,
  match: PathMatchSpec,
): PathModifierSpec | undefined {
  if (regexRewrite !== undefined) {
    const { pattern, substitution } = decodeRegex(regexRewrite)
    if (pattern === wholePath && !hasGroups(substitution))
      return { kind: 'full', value: substitution.replaceAll('\\\\', '\\') }
    const takesPrefixAway = match.kind === 'prefix' && pattern === prefixPattern(match.value)
    if (takesPrefixAway && substitution === '/') return { kind: 'prefix', value: '/' }
    return { kind: 'regex', pattern, substitution }
  }
  if (prefixRewrite === '') return undefined
  const elements = withoutTrailingSlash(prefixRewrite)
  return { kind: 'prefix', value: elements === '' ? '/' : elements }
}

function withoutTrailingSlash(path: string): string {
  return path.replace(/\/+$/, '')
}

/** A backslash refers to a group in a substitution. */
function escapeSubstitution(text: string): string {
  return text.replaceAll('\\', '\\\\')
}

function hasGroups(substitution: string): boolean {
  return /\\[0-9]/.test(substitution.replaceAll('\\\\', ''))
}

function decodeRegex({ pattern, substitution }: RegexMatchAndSubstitute): RegexRewriteSpec {
  return { pattern: pattern?.regex ?? '', substitution }
}
