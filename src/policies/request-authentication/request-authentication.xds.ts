// Request authentication ↔ envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication, an HTTP filter of the listener.
import { fileURLToPath, pathToFileURL } from 'node:url'

import type { MessageInitShape } from '@bufbuild/protobuf'

import type { DataSource } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type { RouteMatch } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { JwtAuthenticationSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import type {
  JwtAuthentication,
  JwtProvider,
  JwtProviderSchema,
  JwtRequirement,
  RequirementRule,
} from '../../contracts/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import type { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { typedConfig } from '../typed-config.xds.ts'
import type { JwtRule, RequestAuthenticationSpec } from './request-authentication.spec.ts'

type HttpFilterInit = MessageInitShape<typeof HttpFilterSchema>
type ProviderInit = MessageInitShape<typeof JwtProviderSchema>

export const requestAuthenticationFilterName = 'envoy.filters.http.jwt_authn'

const defaultTimeoutMs = 5_000
/** For Envoy, which has no look at what the server says. */
const cacheDuration = encodeDuration(300_000)
/** What Envoy assumes, and the only one there is. */
const clockSkewSeconds = 60

/** Undefined when there are no rules. */
export function encodeRequestAuthentication(rules: readonly JwtRule[]): HttpFilterInit | undefined {
  if (rules.length === 0) return undefined
  const providers = rules.map((rule, index) => [providerName(index), encodeProvider(rule)] as const)
  const named = providers.map(([name]) => ({ requiresType: { case: 'providerName' as const, value: name } }))
  const requirements = [...named, { requiresType: { case: 'allowMissing' as const, value: {} } }]
  const config = typedConfig(JwtAuthenticationSchema, {
    providers: Object.fromEntries(providers),
    rules: [
      {
        match: { pathSpecifier: { case: 'prefix', value: '/' } },
        requirementType: {
          case: 'requires',
          value: { requiresType: { case: 'requiresAny', value: { requirements } } },
        },
      },
    ],
  })
  return { name: requestAuthenticationFilterName, configType: { case: 'typedConfig', value: config } }
}

function providerName(index: number): string {
  return `origins-${index}`
}

function encodeProvider(rule: JwtRule): ProviderInit {
  return {
    issuer: rule.issuer,
    audiences: [...rule.audiences],
    jwksSourceSpecifier: encodeKeys(rule),
    forward: rule.forwardOriginalToken,
    fromHeaders: rule.fromHeaders.map(({ name, prefix }) => ({ name, valuePrefix: prefix })),
    fromParams: [...rule.fromParams],
    fromCookies: [...rule.fromCookies],
    forwardPayloadHeader: rule.outputPayloadToHeader ?? '',
    claimToHeaders: rule.outputClaimToHeaders.map(({ header, claim }) => ({ headerName: header, claimName: claim })),
  }
}

function encodeKeys({ jwks, jwksUri, timeoutMs }: JwtRule): NonNullable<ProviderInit['jwksSourceSpecifier']> {
  if (jwksUri === undefined)
    return { case: 'localJwks', value: { specifier: { case: 'inlineString', value: jwks ?? '' } } }
  const { protocol, host } = new URL(jwksUri)
  if (protocol === 'file:')
    return { case: 'localJwks', value: { specifier: { case: 'filename', value: fileURLToPath(jwksUri) } } }
  // Envoy fetches through a cluster; Heddle's proxy needs none
  const httpUpstreamType = { case: 'cluster' as const, value: `jwks:${host}` }
  const httpUri = { uri: jwksUri, httpUpstreamType, timeout: encodeDuration(timeoutMs) }
  return { case: 'remoteJwks', value: { httpUri, cacheDuration } }
}

/** Throws an Error that says what cannot be served. */
export function decodeRequestAuthentication(message: JwtAuthentication): RequestAuthenticationSpec {
  if (message.filterStateRules !== undefined) throw new Error('jwt_authn: filter_state_rules are not supported')
  if (message.stripFailureResponse) throw new Error('jwt_authn: strip_failure_response is not supported')
  if (message.rules.length === 0) return { rules: [] }
  const [rule] = message.rules
  if (message.rules.length > 1 || rule === undefined || !matchesEverything(rule.match))
    throw new Error('jwt_authn: only one rule, which matches the prefix "/", is supported')
  const names = new Set(optionalProviders(requirementOf(rule, message)))
  return { rules: [...names].map((name) => decodeProvider(message.providers[name], name)) }
}

function matchesEverything(match: RouteMatch | undefined): boolean {
  return (
    match?.pathSpecifier.case === 'prefix' &&
    match.pathSpecifier.value === '/' &&
    match.headers.length === 0 &&
    match.queryParameters.length === 0
  )
}

function requirementOf(
  { requirementType }: RequirementRule,
  { requirementMap }: JwtAuthentication,
): JwtRequirement | undefined {
  if (requirementType.case === 'requires') return requirementType.value
  if (requirementType.case === undefined) return undefined
  const requirement = requirementMap[requirementType.value]
  if (requirement === undefined) throw new Error(`jwt_authn: there is no requirement "${requirementType.value}"`)
  return requirement
}

/** Those whose token may come, where none need come. */
function optionalProviders(requirement: JwtRequirement | undefined): string[] {
  const type = requirement?.requiresType
  if (type?.case === undefined || type.case === 'allowMissing') return []
  if (type.case === 'requiresAll') return type.value.requirements.flatMap(optionalProviders)
  if (type.case !== 'requiresAny') throw new Error(`jwt_authn: ${mustBeOptional}`)
  const { requirements } = type.value
  const named: string[] = []
  const others: JwtRequirement[] = []
  for (const one of requirements) {
    if (one.requiresType.case === 'providerName') named.push(one.requiresType.value)
    else others.push(one)
  }
  // Without anything beside the providers, one of them would have to be satisfied
  if (others.length === 0) throw new Error(`jwt_authn: ${mustBeOptional}`)
  return [...named, ...others.flatMap(optionalProviders)]
}

const mustBeOptional =
  'a requirement has to be one of several providers or allow_missing; that a token must be there is for authorization to say'

function decodeProvider(provider: JwtProvider | undefined, name: string): JwtRule {
  const place = `jwt_authn: provider "${name}"`
  if (provider === undefined) throw new Error(`${place} is not defined`)
  refuseUnsupported(provider, place)
  const { forwardPayloadHeader } = provider
  return {
    issuer: provider.issuer,
    audiences: provider.audiences,
    ...decodeKeys(provider, place),
    fromHeaders: provider.fromHeaders.map((header) => ({ name: header.name, prefix: header.valuePrefix })),
    fromParams: provider.fromParams,
    fromCookies: provider.fromCookies,
    ...(forwardPayloadHeader === '' ? {} : { outputPayloadToHeader: forwardPayloadHeader }),
    forwardOriginalToken: provider.forward,
    outputClaimToHeaders: provider.claimToHeaders.map(({ headerName, claimName }) => ({
      header: headerName,
      claim: claimName,
    })),
  }
}

/** Fields that would make tokens good or bad in a way that is not served. Those about metadata of Envoy's own are left aside. */
function refuseUnsupported(provider: JwtProvider, place: string): void {
  if (provider.issuer === '') throw new Error(`${place}: issuer is required`)
  const unsupported = {
    subjects: provider.subjects !== undefined,
    require_expiration: provider.requireExpiration,
    max_lifetime: provider.maxLifetime !== undefined,
    pad_forward_payload_header: provider.padForwardPayloadHeader,
    clock_skew_seconds: ![0, clockSkewSeconds].includes(provider.clockSkewSeconds),
  }
  for (const [field, isSet] of Object.entries(unsupported))
    if (isSet) throw new Error(`${place}: ${field} is not supported`)
  for (const name of [provider.forwardPayloadHeader, ...provider.claimToHeaders.map(({ headerName }) => headerName)])
    if (framingHeader.test(name)) throw new Error(`${place}: the header "${name}" cannot be written to`)
}

/** Where a message ends and whom it is for is not for a token to say. */
const framingHeader =
  /^(?:host|content-length|transfer-encoding|connection|te|trailer|upgrade)$|[^A-Za-z0-9!#$%&'*+\-.^_`|~]/i

function decodeKeys(
  { jwksSourceSpecifier }: JwtProvider,
  place: string,
): Pick<JwtRule, 'jwks' | 'jwksUri' | 'timeoutMs'> {
  if (jwksSourceSpecifier.case === 'localJwks')
    return { ...decodeLocalKeys(jwksSourceSpecifier.value, place), timeoutMs: defaultTimeoutMs }
  const httpUri = jwksSourceSpecifier.value?.httpUri
  if (httpUri === undefined) throw new Error(`${place}: local_jwks or remote_jwks.http_uri is required`)
  if (!/^https?:$/.test(URL.parse(httpUri.uri)?.protocol ?? ''))
    throw new Error(`${place}: remote_jwks.http_uri.uri has to be an http or https URL`)
  const timeoutMs =
    httpUri.timeout === undefined
      ? defaultTimeoutMs
      : decodeDuration(httpUri.timeout, `${place}: remote_jwks.http_uri.timeout`)
  return { jwksUri: httpUri.uri, timeoutMs }
}

function decodeLocalKeys({ specifier }: DataSource, place: string): Pick<JwtRule, 'jwks' | 'jwksUri'> {
  if (specifier.case === 'inlineString') return { jwks: specifier.value }
  if (specifier.case === 'inlineBytes') return { jwks: Buffer.from(specifier.value).toString() }
  if (specifier.case === 'filename') return { jwksUri: pathToFileURL(specifier.value).href }
  throw new Error(`${place}: local_jwks has to be a text or a file`)
}
