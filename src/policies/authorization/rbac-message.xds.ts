// Permissions and principals ↔ envoy.config.rbac.v3.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { TypedExtensionConfig } from '../../contracts/xds/gen/envoy/config/core/v3/extension_pb.ts'
import type {
  Permission as PermissionMessage,
  PermissionSchema,
  Principal as PrincipalMessage,
  PrincipalSchema,
} from '../../contracts/xds/gen/envoy/config/rbac/v3/rbac_pb.ts'
import { UriTemplateMatchConfigSchema } from '../../contracts/xds/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.ts'
import { escapeRegex, unescapeRegex } from '../route-match/string-matcher.xds.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { Permission, Principal, TextMatch, WorkloadMatch } from './authorization.spec.ts'
import {
  decodeClaim,
  decodeHeader,
  decodeIpBlock,
  decodePath,
  decodeText,
  encodeClaim,
  encodeHeader,
  encodeIpBlock,
  encodeText,
} from './rbac-leaf.xds.ts'

type PermissionInit = MessageInitShape<typeof PermissionSchema>
type PrincipalInit = MessageInitShape<typeof PrincipalSchema>

const uriTemplate = 'envoy.path.match.uri_template.uri_template_matcher'

export function encodePermission(permission: Permission): PermissionInit {
  switch (permission.kind) {
    case 'any':
      return { rule: { case: 'any', value: true } }
    case 'and':
      return { rule: { case: 'andRules', value: { rules: permission.rules.map(encodePermission) } } }
    case 'or':
      return { rule: { case: 'orRules', value: { rules: permission.rules.map(encodePermission) } } }
    case 'not':
      return { rule: { case: 'notRule', value: encodePermission(permission.rule) } }
    case 'header':
      return { rule: { case: 'header', value: encodeHeader(permission) } }
    case 'path':
      return { rule: { case: 'urlPath', value: { rule: { case: 'path', value: encodeText(permission.match) } } } }
    case 'template': {
      const config = typedConfig(UriTemplateMatchConfigSchema, { pathTemplate: permission.template })
      return { rule: { case: 'uriTemplate', value: { name: uriTemplate, typedConfig: config } } }
    }
    case 'destinationIp':
      return { rule: { case: 'destinationIp', value: encodeIpBlock(permission.block) } }
    case 'destinationPort':
      return permission.from === permission.to
        ? { rule: { case: 'destinationPort', value: permission.from } }
        : { rule: { case: 'destinationPortRange', value: { start: permission.from, end: permission.to + 1 } } }
    case 'serverName':
      return { rule: { case: 'requestedServerName', value: encodeText(permission.match) } }
    case 'claim':
    default:
      return { rule: { case: 'metadata', value: encodeClaim(permission) } }
  }
}

export function encodePrincipal(principal: Principal): PrincipalInit {
  switch (principal.kind) {
    case 'any':
      return { identifier: { case: 'any', value: true } }
    case 'and':
      return { identifier: { case: 'andIds', value: { ids: principal.rules.map(encodePrincipal) } } }
    case 'or':
      return { identifier: { case: 'orIds', value: { ids: principal.rules.map(encodePrincipal) } } }
    case 'not':
      return { identifier: { case: 'notId', value: encodePrincipal(principal.rule) } }
    case 'authenticated':
      return { identifier: { case: 'authenticated', value: { principalName: encodeText(principal.match) } } }
    case 'workload': {
      const regex = workloadRegex(principal)
      return encodePrincipal({ kind: 'authenticated', match: { kind: 'regex', value: regex } })
    }
    case 'directRemoteIp':
    case 'remoteIp':
      return { identifier: { case: principal.kind, value: encodeIpBlock(principal.block) } }
    case 'header':
      return { identifier: { case: 'header', value: encodeHeader(principal) } }
    case 'path':
      return { identifier: { case: 'urlPath', value: { rule: { case: 'path', value: encodeText(principal.match) } } } }
    case 'claim':
    default:
      return { identifier: { case: 'metadata', value: encodeClaim(principal) } }
  }
}

/** Throws an Error that names `place` and what cannot be served. */
export function decodePermission({ rule }: PermissionMessage, place: string): Permission {
  switch (rule.case) {
    case 'any':
      return decodeAny(rule.value, place)
    case 'andRules':
      return { kind: 'and', rules: rule.value.rules.map((inner) => decodePermission(inner, place)) }
    case 'orRules':
      return { kind: 'or', rules: rule.value.rules.map((inner) => decodePermission(inner, place)) }
    case 'notRule':
      return { kind: 'not', rule: decodePermission(rule.value, place) }
    case 'header':
      return decodeHeader(rule.value, place)
    case 'urlPath':
      return decodePath(rule.value, place)
    case 'uriTemplate':
      return { kind: 'template', template: decodeTemplate(rule.value, place) }
    case 'destinationIp':
      return { kind: 'destinationIp', block: decodeIpBlock(rule.value) }
    case 'destinationPort':
      return { kind: 'destinationPort', from: rule.value, to: rule.value }
    case 'destinationPortRange':
      return { kind: 'destinationPort', from: rule.value.start, to: rule.value.end - 1 }
    case 'requestedServerName':
      return { kind: 'serverName', match: decodeText(rule.value, place) }
    case 'metadata':
      return inverted(rule.value.invert, decodeClaim(rule.value, place))
    case 'matcher':
    case undefined:
    default:
      throw new Error(`${place}: a permission of type ${rule.case ?? 'none'} is not supported`)
  }
}

/** Throws an Error that names `place` and what cannot be served. */
export function decodePrincipal({ identifier: id }: PrincipalMessage, place: string): Principal {
  switch (id.case) {
    case 'any':
      return decodeAny(id.value, place)
    case 'andIds':
      return { kind: 'and', rules: id.value.ids.map((inner) => decodePrincipal(inner, place)) }
    case 'orIds':
      return { kind: 'or', rules: id.value.ids.map((inner) => decodePrincipal(inner, place)) }
    case 'notId':
      return { kind: 'not', rule: decodePrincipal(id.value, place) }
    case 'authenticated': {
      const name = id.value.principalName
      const match: TextMatch = name === undefined ? { kind: 'present' } : decodeText(name, place)
      const workload = match.kind === 'regex' ? decodeWorkload(match.value) : undefined
      return workload ?? { kind: 'authenticated', match }
    }
    case 'sourceIp':
    case 'directRemoteIp':
      return { kind: 'directRemoteIp', block: decodeIpBlock(id.value) }
    case 'remoteIp':
      return { kind: 'remoteIp', block: decodeIpBlock(id.value) }
    case 'header':
      return decodeHeader(id.value, place)
    case 'urlPath':
      return decodePath(id.value, place)
    case 'metadata':
      return inverted(id.value.invert, decodeClaim(id.value, place))
    case 'filterState':
    case undefined:
    default:
      throw new Error(`${place}: a principal of type ${id.case ?? 'none'} is not supported`)
  }
}

function workloadRegex({ namespace, serviceAccount }: WorkloadMatch): string {
  const rest = serviceAccount === undefined ? '.+' : `sa/${escapeRegex(serviceAccount)}`
  return `spiffe://[^/]+/ns/${escapeRegex(namespace)}/${rest}`
}

/** Undefined when the expression means something else. */
function decodeWorkload(regex: string): WorkloadMatch | undefined {
  const [namespace = '', account] = regex.replace('spiffe://[^/]+/ns/', '').split(/\/(?:\.\+$|sa\/)/)
  const workload: WorkloadMatch = {
    kind: 'workload',
    namespace: unescapeRegex(namespace),
    serviceAccount: account === undefined || account === '' ? undefined : unescapeRegex(account),
  }
  return workloadRegex(workload) === regex ? workload : undefined
}

function decodeAny(value: boolean, place: string): { kind: 'any' } {
  if (!value) throw new Error(`${place}: "any" must be true`)
  return { kind: 'any' }
}

function inverted<T>(invert: boolean, rule: T): T | { kind: 'not'; rule: T } {
  return invert ? { kind: 'not', rule } : rule
}

/** Variables mean nothing here: `{name=*}` is `*`. */
function decodeTemplate(extension: TypedExtensionConfig, place: string): string {
  const { pathTemplate } = readTypedConfig(extension.typedConfig, UriTemplateMatchConfigSchema, place)
  const template = pathTemplate.replaceAll(/\{\w+(?:=(\*\*?))?\}/g, (_, operator?: string) => operator ?? '*')
  const segments = template.split('/')
  const fault =
    !template.startsWith('/') ||
    /[{}]/.test(template) ||
    segments.some((text) => text.includes('*') && text !== '*' && text !== '**') ||
    segments.slice(segments.indexOf('**') + 1 || segments.length).some((text) => text.includes('*'))
  if (fault) throw new Error(`${place}: the path template "${pathTemplate}" is not supported`)
  return template
}
