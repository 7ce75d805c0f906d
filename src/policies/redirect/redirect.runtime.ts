// The Location of a redirect (Gateway API HTTPRequestRedirectFilter).
import type { RequestHead } from '../../contracts/http-message.ts'
import { compilePathModifier } from '../rewrite/rewrite.runtime.ts'
import type { PathMatchSpec } from '../route-match/route-match.spec.ts'
import type { RedirectSpec } from './redirect.spec.ts'

const wellKnownPorts = { http: 80, https: 443 } as const

/**
 * Absent parts keep the request's. The port, when absent: that of a given scheme, else the one the request was sent to. A port that the
 * scheme implies is left out.
 */
export function compileRedirect(spec: RedirectSpec, match: PathMatchSpec): (request: RequestHead) => string {
  const modifyPath = compilePathModifier(spec.path, match)
  return (request) => {
    const scheme = spec.scheme ?? request.scheme
    const own = splitAuthority(request.authority)
    const port = spec.port ?? (spec.scheme === undefined ? own.port : undefined)
    const authority = spec.hostname ?? own.host
    const suffix = port === undefined || port === wellKnownPorts[scheme] ? '' : `:${port}`
    return `${scheme}://${authority}${suffix}${modifyPath === undefined ? request.path : modifyPath(request.path)}`
  }
}

/** An IPv6 address keeps its brackets. */
function splitAuthority(authority: string): { host: string; port: number | undefined } {
  const colon = authority.lastIndexOf(':')
  if (colon === -1 || authority.endsWith(']')) return { host: authority, port: undefined }
  const port = Number(authority.slice(colon + 1))
  return { host: authority.slice(0, colon), port: port === 0 ? undefined : port }
}
