// Comparison of one text ↔ envoy.type.matcher.v3.StringMatcher. Encodes exact and regex; decodes the other patterns as the regex they mean.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { StringMatcher, StringMatcherSchema } from '../../contracts/xds/gen/envoy/type/matcher/v3/string_pb.ts'
import type { ValueMatchSpec } from './route-match.spec.ts'

export type TextMatch = Pick<ValueMatchSpec, 'kind' | 'value'>

export function encodeStringMatcher({ kind, value }: TextMatch): MessageInitShape<typeof StringMatcherSchema> {
  return {
    matchPattern: kind === 'exact' ? { case: 'exact', value } : { case: 'safeRegex', value: { regex: value } },
  }
}

/** Throws an Error that names `place`. */
export function decodeStringMatcher(matcher: StringMatcher | undefined, place: string): TextMatch {
  if (matcher?.ignoreCase === true) throw new Error(`${place}: ignore_case is not supported`)
  const pattern = matcher?.matchPattern
  if (pattern?.case === 'exact') return { kind: 'exact', value: pattern.value }
  if (pattern?.case === 'safeRegex') return { kind: 'regex', value: pattern.value.regex }
  if (pattern?.case === 'prefix') return { kind: 'regex', value: `${escapeRegex(pattern.value)}.*` }
  if (pattern?.case === 'suffix') return { kind: 'regex', value: `.*${escapeRegex(pattern.value)}` }
  if (pattern?.case === 'contains') return { kind: 'regex', value: `.*${escapeRegex(pattern.value)}.*` }
  throw new Error(`${place}: expected exact, prefix, suffix, contains or safe_regex, got ${pattern?.case ?? 'none'}`)
}

/** The regular expression (RE2) that matches exactly `text`. */
export function escapeRegex(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
}

export function unescapeRegex(pattern: string): string {
  return pattern.replaceAll(/\\(.)/g, '$1')
}
