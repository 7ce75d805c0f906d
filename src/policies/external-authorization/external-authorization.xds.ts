// External authorization ↔ envoy.extensions.filters.http.ext_authz.v3.ExtAuthz, an HTTP filter of the listener.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { ApiVersion } from '../../contracts/xds/gen/envoy/config/core/v3/config_source_pb.ts'
import { ExtAuthzSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import type {
  BufferSettings,
  ExtAuthz,
  HttpService,
} from '../../contracts/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import type { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type {
  ListStringMatcher,
  ListStringMatcherSchema,
  StringMatcher,
  StringMatcherSchema,
} from '../../contracts/xds/gen/envoy/type/matcher/v3/string_pb.ts'
import type { StatusCode } from '../../contracts/xds/gen/envoy/type/v3/http_status_pb.ts'
import { authorizationFilterName } from '../authorization/authorization.xds.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { typedConfig } from '../typed-config.xds.ts'
import type {
  ExternalAuthorizationSpec,
  HeaderPattern,
  HttpAuthorizationService,
} from './external-authorization.spec.ts'

export const externalAuthorizationFilterName = 'envoy.filters.http.ext_authz'

/** Envoy's own. */
const defaultTimeoutMs = 200
const forbidden = 403

type ServicesInit = NonNullable<MessageInitShape<typeof ExtAuthzSchema>['services']>

/** `questionPrefix`: of the RBAC filter in front that says which requests are asked about. */
export function encodeExternalAuthorization(
  spec: ExternalAuthorizationSpec,
  questionPrefix: string,
): MessageInitShape<typeof HttpFilterSchema> {
  const config = typedConfig(ExtAuthzSchema, {
    services: encodeService(spec),
    transportApiVersion: ApiVersion.V3,
    failureModeAllow: spec.failOpen,
    statusOnError: { code: spec.statusOnError as StatusCode },
    filterEnabledMetadata: {
      filter: authorizationFilterName,
      path: [{ segment: { case: 'key', value: questionPrefix + matchedRule } }],
      value: { matchPattern: { case: 'presentMatch', value: true } },
    },
    ...(spec.requestBody === undefined ? {} : { withRequestBody: spec.requestBody }),
    ...(spec.headersInCheck.length === 0 ? {} : { allowedHeaders: encodePatterns(spec.headersInCheck) }),
  })
  return { name: externalAuthorizationFilterName, configType: { case: 'typedConfig', value: config } }
}

function encodeService({ service, timeoutMs }: ExternalAuthorizationSpec): ServicesInit {
  const { cluster } = service
  const timeout = encodeDuration(timeoutMs)
  if (service.kind === 'grpc') {
    const targetSpecifier = { case: 'envoyGrpc' as const, value: { clusterName: cluster } }
    return { case: 'grpcService', value: { targetSpecifier, timeout } }
  }
  const { pathPrefix, headersToUpstreamOnAllow, headersToDownstreamOnDeny } = service
  // Envoy wants a URL, and uses nothing of it: the cluster says where the server is
  const serverUri = {
    uri: `http://${cluster}`,
    httpUpstreamType: { case: 'cluster' as const, value: cluster },
    timeout,
  }
  const upstream = encodePatterns(headersToUpstreamOnAllow)
  const client = encodePatterns(headersToDownstreamOnDeny)
  const authorizationResponse = {
    ...(headersToUpstreamOnAllow.length === 0 ? {} : { allowedUpstreamHeaders: upstream }),
    ...(headersToDownstreamOnDeny.length === 0 ? {} : { allowedClientHeaders: client }),
  }
  return { case: 'httpService', value: { serverUri, pathPrefix, authorizationResponse } }
}

function encodePatterns(patterns: readonly HeaderPattern[]): MessageInitShape<typeof ListStringMatcherSchema> {
  return { patterns: patterns.map(encodePattern) }
}

function encodePattern(pattern: HeaderPattern): MessageInitShape<typeof StringMatcherSchema> {
  if (pattern === '*') return { matchPattern: { case: 'safeRegex', value: { regex: '.*' } } }
  const lower = pattern.toLowerCase()
  if (lower.endsWith('*')) return { matchPattern: { case: 'prefix', value: lower.slice(0, -1) } }
  if (lower.startsWith('*')) return { matchPattern: { case: 'suffix', value: lower.slice(1) } }
  return { matchPattern: { case: 'exact', value: lower } }
}

/** What an RBAC filter calls the shadow rule that matched. */
const matchedRule = 'shadow_effective_policy_id'

/** Undefined: every request is asked about. Throws an Error when something else decides about that. */
export function questionPrefixOf({ filterEnabledMetadata }: ExtAuthz): string | undefined {
  if (filterEnabledMetadata === undefined) return undefined
  const { filter, path, value, invert } = filterEnabledMetadata
  const key = path.length === 1 ? path[0]?.segment.value : undefined
  const anyRule = value?.matchPattern.case === 'presentMatch' && value.matchPattern.value && !invert
  if (filter !== authorizationFilterName || key?.endsWith(matchedRule) !== true || !anyRule)
    throw new Error('ext_authz: filter_enabled_metadata may only ask whether a shadow rule of an RBAC filter matched')
  return key.slice(0, -matchedRule.length)
}

/** Throws an Error that says what cannot be served. */
export function decodeExternalAuthorization(message: ExtAuthz): ExternalAuthorizationSpec {
  refuseUnsupported(message)
  const { services, statusOnError, allowedHeaders } = message
  const rest = {
    failOpen: message.failureModeAllow,
    statusOnError: statusOnError?.code ?? forbidden,
    ...decodeRequestBody(message.withRequestBody),
  }
  const headersInCheck = decodePatterns(allowedHeaders)
  if (services.case === 'grpcService') {
    const { targetSpecifier, timeout, initialMetadata } = services.value
    if (targetSpecifier.case !== 'envoyGrpc') throw new Error('ext_authz: grpc_service has to be envoy_grpc')
    if (initialMetadata.length > 0) throw new Error('ext_authz: grpc_service.initial_metadata is not supported')
    const service = { kind: 'grpc' as const, cluster: targetSpecifier.value.clusterName }
    return { service, timeoutMs: timeoutOf(timeout), ...rest, headersInCheck }
  }
  if (services.case === undefined) throw new Error('ext_authz: grpc_service or http_service is required')
  const { authorizationRequest, serverUri } = services.value
  return {
    service: decodeHttpService(services.value),
    timeoutMs: timeoutOf(serverUri?.timeout),
    ...rest,
    headersInCheck: [...headersInCheck, ...decodePatterns(authorizationRequest?.allowedHeaders)],
  }
}

function decodeRequestBody(settings: BufferSettings | undefined): Pick<ExternalAuthorizationSpec, 'requestBody'> {
  if (settings === undefined) return {}
  const { maxRequestBytes, allowPartialMessage, packAsBytes } = settings
  if (maxRequestBytes === 0) throw new Error('ext_authz: with_request_body.max_request_bytes has to be more than 0')
  return { requestBody: { maxRequestBytes, allowPartialMessage, packAsBytes } }
}

function timeoutOf(timeout: Parameters<typeof decodeDuration>[0] | undefined): number {
  return timeout === undefined ? defaultTimeoutMs : decodeDuration(timeout, 'ext_authz: timeout')
}

function decodeHttpService(service: HttpService): HttpAuthorizationService {
  const { serverUri, pathPrefix, authorizationRequest, authorizationResponse } = service
  const cluster = serverUri?.httpUpstreamType.value
  if (cluster === undefined || cluster === '') throw new Error('ext_authz: http_service.server_uri.cluster is required')
  const unsupported = {
    'authorization_request.headers_to_add': authorizationRequest?.headersToAdd.length,
    'authorization_response.allowed_upstream_headers_to_append':
      authorizationResponse?.allowedUpstreamHeadersToAppend?.patterns.length,
    'authorization_response.allowed_client_headers_on_success':
      authorizationResponse?.allowedClientHeadersOnSuccess?.patterns.length,
    'authorization_response.dynamic_metadata_from_headers':
      authorizationResponse?.dynamicMetadataFromHeaders?.patterns.length,
  }
  for (const [field, count = 0] of Object.entries(unsupported))
    if (count > 0) throw new Error(`ext_authz: http_service.${field} is not supported`)
  return {
    kind: 'http',
    cluster,
    pathPrefix,
    headersToUpstreamOnAllow: decodePatterns(authorizationResponse?.allowedUpstreamHeaders),
    headersToDownstreamOnDeny: decodePatterns(authorizationResponse?.allowedClientHeaders),
  }
}

/** Fields without which the server would decide about something else, or the filter act otherwise. */
function refuseUnsupported(message: ExtAuthz): void {
  const unsupported = {
    failure_mode_allow_header_add: message.failureModeAllowHeaderAdd,
    filter_enabled: message.filterEnabled !== undefined,
    deny_at_disable: message.denyAtDisable !== undefined,
    metadata_context_namespaces:
      message.metadataContextNamespaces.length + message.typedMetadataContextNamespaces.length > 0,
    route_metadata_context_namespaces:
      message.routeMetadataContextNamespaces.length + message.routeTypedMetadataContextNamespaces.length > 0,
    disallowed_headers: message.disallowedHeaders !== undefined,
    encode_raw_headers: message.encodeRawHeaders,
    include_peer_certificate: message.includePeerCertificate,
    decoder_header_mutation_rules: message.decoderHeaderMutationRules !== undefined,
  }
  for (const [field, isSet] of Object.entries(unsupported))
    if (isSet) throw new Error(`ext_authz: ${field} is not supported`)
}

function decodePatterns(list: ListStringMatcher | undefined): HeaderPattern[] {
  return list?.patterns.map(decodePattern) ?? []
}

function decodePattern({ matchPattern }: StringMatcher): HeaderPattern {
  if (matchPattern.case === 'exact') return matchPattern.value.toLowerCase()
  if (matchPattern.case === 'prefix') return `${matchPattern.value.toLowerCase()}*`
  if (matchPattern.case === 'suffix') return `*${matchPattern.value.toLowerCase()}`
  if (matchPattern.case === 'safeRegex' && /^\.[*+]$/.test(matchPattern.value.regex)) return '*'
  throw new Error('ext_authz: names of headers are matched by exact, prefix or suffix only')
}
