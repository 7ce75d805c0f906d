// Redirects ↔ envoy.config.route.v3.RedirectAction.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { RedirectAction_RedirectResponseCode as Code } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type {
  RedirectAction,
  RedirectActionSchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { PathModifierSpec } from '../rewrite/rewrite.spec.ts'
import { decodePathRewrite, encodePathRewrite } from '../rewrite/rewrite.xds.ts'
import type { PathMatchSpec } from '../route-match/route-match.spec.ts'
import type { RedirectSpec } from './redirect.spec.ts'

type RedirectInit = MessageInitShape<typeof RedirectActionSchema>

const codes: ReadonlyMap<RedirectSpec['statusCode'], Code> = new Map([
  [301, Code.MOVED_PERMANENTLY],
  [302, Code.FOUND],
  [303, Code.SEE_OTHER],
  [307, Code.TEMPORARY_REDIRECT],
  [308, Code.PERMANENT_REDIRECT],
])

export function encodeRedirect(spec: RedirectSpec, match: PathMatchSpec): RedirectInit {
  return {
    ...(spec.scheme === undefined ? {} : { schemeRewriteSpecifier: { case: 'schemeRedirect', value: spec.scheme } }),
    ...(spec.hostname === undefined ? {} : { hostRedirect: spec.hostname }),
    ...(spec.port === undefined ? {} : { portRedirect: spec.port }),
    ...(spec.path === undefined ? {} : { pathRewriteSpecifier: encodePath(spec.path, match) }),
    responseCode: codes.get(spec.statusCode) as Code,
  }
}

function encodePath(path: PathModifierSpec, match: PathMatchSpec): NonNullable<RedirectInit['pathRewriteSpecifier']> {
  if (path.kind === 'full') return { case: 'pathRedirect', value: path.value }
  const { prefixRewrite, regexRewrite } = encodePathRewrite(path, match)
  if (regexRewrite !== undefined) return { case: 'regexRewrite', value: regexRewrite }
  return { case: 'prefixRewrite', value: prefixRewrite as string }
}

/** Throws an Error that says what cannot be served. */
export function decodeRedirect(action: RedirectAction, match: PathMatchSpec): RedirectSpec {
  if (action.stripQuery) throw new Error('redirect: strip_query is not supported')
  const statusCode = [...codes].find(([, code]) => code === action.responseCode)?.[0]
  if (statusCode === undefined) throw new Error(`redirect: unknown response code ${action.responseCode}`)
  const scheme = decodeScheme(action)
  const path = decodePath(action, match)
  return {
    ...(scheme === undefined ? {} : { scheme }),
    ...(action.hostRedirect === '' ? {} : { hostname: action.hostRedirect }),
    ...(action.portRedirect === 0 ? {} : { port: action.portRedirect }),
    ...(path === undefined ? {} : { path }),
    statusCode,
  }
}

function decodeScheme({ schemeRewriteSpecifier: scheme }: RedirectAction): RedirectSpec['scheme'] {
  if (scheme.case === undefined) return undefined
  if (scheme.case === 'httpsRedirect') return scheme.value ? 'https' : undefined
  if (scheme.value === 'http' || scheme.value === 'https') return scheme.value
  throw new Error(`redirect: unknown scheme "${scheme.value}"`)
}

function decodePath(
  { pathRewriteSpecifier: path }: RedirectAction,
  match: PathMatchSpec,
): PathModifierSpec | undefined {
  if (path.case === 'pathRedirect') return { kind: 'full', value: path.value }
  if (path.case === 'prefixRewrite') return decodePathRewrite(path.value, undefined, match)
  return decodePathRewrite('', path.value, match)
}
