// Compares what came back with what a case expects: all of upstream's comparisons, and Location, path, method and host beside them.
import type { Echo } from '../kit/echo-server.ts'
import type { WireResponse } from '../kit/http-client.ts'
import type { Distribution, SuiteCase, SuiteExpectation } from './suite.ts'

/** What is wrong, empty when nothing is. `url` is what was asked for, `hostHeader` what was sent. */
export function complaints({ request, expect }: SuiteCase, url: URL, hostHeader: string, seen: WireResponse): string[] {
  const wrong: string[] = []
  if (!expect.status.includes(seen.status)) {
    return [`status ${seen.status} instead of ${expect.status.join(' or ')}: ${seen.body.trim().slice(0, 200)}`]
  }
  const same = (what: string, actual: string | undefined, expected: string): void => {
    if (actual !== expected) wrong.push(`${what} is ${actual ?? 'absent'} instead of ${expected}`)
  }
  for (const [name, value] of Object.entries(expect.response?.headers ?? {})) {
    same(`response header ${name}`, seen.headers[name.toLowerCase()], value)
  }
  for (const name of expect.response?.absentHeaders ?? []) {
    const value = seen.headers[name.toLowerCase()]
    if (value !== undefined) wrong.push(`response header ${name} is ${value} instead of absent`)
  }
  if (expect.redirect !== undefined) return [...wrong, ...redirectComplaints(expect.redirect, url, seen)]
  if (seen.status !== 200) return wrong

  const echo = JSON.parse(seen.body) as Echo
  if (!echo.pod.startsWith(expect.backend ?? '')) wrong.push(`backend is ${echo.pod} instead of ${expect.backend}`)
  if (expect.backendNamespace !== undefined) same('backend namespace', echo.namespace, expect.backendNamespace)
  same('method at the backend', echo.method, request.method ?? (request.protocol === 'grpc' ? 'POST' : 'GET'))
  same('host at the backend', echo.host, hostHeader)
  same('path at the backend', echo.path, expect.backendRequest?.path ?? url.pathname + url.search)
  for (const [name, value] of Object.entries(expect.backendRequest?.headers ?? {})) {
    same(`request header ${name} at the backend`, echo.headers[name.toLowerCase()]?.join(','), value)
  }
  for (const name of expect.backendRequest?.absentHeaders ?? []) {
    const value = echo.headers[name.toLowerCase()]
    if (value !== undefined) wrong.push(`request header ${name} at the backend is ${value.join(',')} instead of absent`)
  }
  return wrong
}

/** What a case does not state stays as it was asked for; without a port, the scheme's own (Gateway API, HTTPRequestRedirectFilter). */
function redirectComplaints(
  expected: NonNullable<SuiteExpectation['redirect']>,
  url: URL,
  seen: WireResponse,
): string[] {
  const location = seen.headers['location']
  if (location === undefined) return ['Location is absent']
  const scheme = expected.scheme ?? 'http'
  const port = expected.port === undefined ? '' : `:${expected.port}`
  const want = new URL(`${scheme}://${expected.host ?? url.hostname}${port}${expected.path ?? url.pathname}`)
  if (!URL.canParse(location)) return [`Location is ${location} instead of ${want.href}`]
  return new URL(location).href === want.href ? [] : [`Location is ${location} instead of ${want.href}`]
}

/** `counts`: how many requests each backend answered. */
export function distributionComplaints(
  { weights, toleranceAbs }: Distribution,
  counts: ReadonlyMap<string, number>,
): string[] {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const wrong: string[] = []
  for (const [backend, count] of counts) {
    if (!(backend in weights)) wrong.push(`${count} requests reached ${backend}, which has no share`)
  }
  for (const [backend, weight] of Object.entries(weights)) {
    const share = (counts.get(backend) ?? 0) / total
    if (Math.abs(share - weight) > toleranceAbs) {
      wrong.push(`${backend} got ${share.toFixed(3)} instead of ${weight} ± ${toleranceAbs}`)
    }
  }
  return wrong
}
