// What permissions and principals compare: texts, headers, paths, addresses and claims ↔ Envoy's matchers.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { tokenFilter, tokenPayload } from '../../contracts/condition-attributes.ts'
import type { CidrRange, CidrRangeSchema } from '../../contracts/xds/gen/envoy/config/core/v3/address_pb.ts'
import type {
  HeaderMatcher,
  HeaderMatcherSchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type {
  MetadataMatcher,
  MetadataMatcherSchema,
} from '../../contracts/xds/gen/envoy/type/matcher/v3/metadata_pb.ts'
import type { PathMatcher } from '../../contracts/xds/gen/envoy/type/matcher/v3/path_pb.ts'
import type { StringMatcher, StringMatcherSchema } from '../../contracts/xds/gen/envoy/type/matcher/v3/string_pb.ts'
import type { ValueMatcher, ValueMatcherSchema } from '../../contracts/xds/gen/envoy/type/matcher/v3/value_pb.ts'
import type { ClaimMatch, ClaimValueMatch, HeaderMatch, IpBlock, PathMatch, TextMatch } from './authorization.spec.ts'

const notEmpty = '.+'

export function encodeText(match: TextMatch): MessageInitShape<typeof StringMatcherSchema> {
  if (match.kind === 'present') return { matchPattern: { case: 'safeRegex', value: { regex: notEmpty } } }
  if (match.kind === 'regex') return { matchPattern: { case: 'safeRegex', value: { regex: match.value } } }
  return { matchPattern: { case: match.kind, value: match.value }, ignoreCase: match.ignoreCase }
}

export function decodeText(matcher: StringMatcher | undefined, place: string): TextMatch {
  const pattern = matcher?.matchPattern
  switch (pattern?.case) {
    case 'exact':
    case 'prefix':
    case 'suffix':
    case 'contains':
      return { kind: pattern.case, value: pattern.value, ignoreCase: matcher?.ignoreCase === true }
    case 'safeRegex':
      return decodeRegex(pattern.value.regex)
    case 'custom':
    case undefined:
    default:
      throw new Error(`${place}: a string matcher of type ${pattern?.case ?? 'none'} is not supported`)
  }
}

function decodeRegex(regex: string): TextMatch {
  return regex === notEmpty ? { kind: 'present' } : { kind: 'regex', value: regex }
}

function text(kind: 'exact' | 'prefix' | 'suffix' | 'contains', value: string): TextMatch {
  return { kind, value, ignoreCase: false }
}

export function encodeHeader({ name, match }: HeaderMatch): MessageInitShape<typeof HeaderMatcherSchema> {
  if (typeof match === 'string') {
    return { name, headerMatchSpecifier: { case: 'presentMatch', value: match === 'present' } }
  }
  return { name, headerMatchSpecifier: { case: 'stringMatch', value: encodeText(match) } }
}

export function decodeHeader(header: HeaderMatcher, place: string): HeaderMatch {
  const fault = header.invertMatch
    ? 'invert_match'
    : header.treatMissingHeaderAsEmpty && 'treat_missing_header_as_empty'
  if (fault) throw new Error(`${place}: header "${header.name}": ${fault} is not supported`)
  return { kind: 'header', name: header.name.toLowerCase(), match: decodeHeaderValue(header, place) }
}

function decodeHeaderValue(
  { name, headerMatchSpecifier: specifier }: HeaderMatcher,
  place: string,
): HeaderMatch['match'] {
  switch (specifier.case) {
    case 'stringMatch':
      return decodeText(specifier.value, place)
    case 'safeRegexMatch':
      return decodeRegex(specifier.value.regex)
    case 'exactMatch':
      return text('exact', specifier.value)
    case 'prefixMatch':
      return text('prefix', specifier.value)
    case 'suffixMatch':
      return text('suffix', specifier.value)
    case 'containsMatch':
      return text('contains', specifier.value)
    case 'presentMatch':
      return specifier.value ? 'present' : 'absent'
    case undefined:
      return 'present'
    case 'rangeMatch':
    default:
      throw new Error(`${place}: header "${name}": ${specifier.case} is not supported`)
  }
}

export function decodePath({ rule }: PathMatcher, place: string): PathMatch {
  return { kind: 'path', match: decodeText(rule.value, place) }
}

export function encodeIpBlock({ address, prefixLength }: IpBlock): MessageInitShape<typeof CidrRangeSchema> {
  return { addressPrefix: address, prefixLen: prefixLength }
}

/** Whether the text is an address is for the one who compares with it. */
export function decodeIpBlock({ addressPrefix, prefixLen }: CidrRange): IpBlock {
  return { address: addressPrefix, prefixLength: prefixLen ?? 0 }
}

export function encodeClaim({ path, value }: ClaimMatch): MessageInitShape<typeof MetadataMatcherSchema> {
  return {
    filter: tokenFilter,
    path: [tokenPayload, ...path].map((key) => ({ segment: { case: 'key', value: key } })),
    value: encodeClaimValue(value),
  }
}

function encodeClaimValue(value: ClaimValueMatch): MessageInitShape<typeof ValueMatcherSchema> {
  switch (value.kind) {
    case 'present':
      return { matchPattern: { case: 'presentMatch', value: true } }
    case 'text':
      return { matchPattern: { case: 'stringMatch', value: encodeText(value.match) } }
    case 'element':
      return {
        matchPattern: {
          case: 'listMatch',
          value: { matchPattern: { case: 'oneOf', value: encodeClaimValue(value.value) } },
        },
      }
    case 'or':
    default:
      return { matchPattern: { case: 'orMatch', value: { valueMatchers: value.values.map(encodeClaimValue) } } }
  }
}

export function decodeClaim({ filter, path, value }: MetadataMatcher, place: string): ClaimMatch {
  const [payload, ...claims] = path.map(({ segment }) => segment.value ?? '')
  if (filter !== tokenFilter || payload !== tokenPayload || claims.length === 0) {
    throw new Error(`${place}: metadata of ${filter}: only ${tokenFilter}, ${tokenPayload} and a claim is supported`)
  }
  return { kind: 'claim', path: claims, value: decodeClaimValue(value, place) }
}

function decodeClaimValue(value: ValueMatcher | undefined, place: string): ClaimValueMatch {
  const pattern = value?.matchPattern
  if (pattern?.case === 'stringMatch') return { kind: 'text', match: decodeText(pattern.value, place) }
  if (pattern?.case === 'presentMatch' && pattern.value) return { kind: 'present' }
  if (pattern?.case === 'listMatch') {
    return { kind: 'element', value: decodeClaimValue(pattern.value.matchPattern.value, place) }
  }
  if (pattern?.case === 'orMatch') {
    return { kind: 'or', values: pattern.value.valueMatchers.map((inner) => decodeClaimValue(inner, place)) }
  }
  throw new Error(`${place}: a metadata value of type ${pattern?.case ?? 'none'} is not supported`)
}
