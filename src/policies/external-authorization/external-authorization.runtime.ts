// Asks a server whether a request may pass, as Envoy's ext_authz filter does. Whoever gets no answer does not pass, unless the policy says so.
import type { FilteredRequest, FilterRefusal, FilterResult, HttpFilter } from '../../contracts/http-filter.ts'
import type { Clock } from '../../core/clock.ts'
import type { HeaderList } from '../../core/header-list.ts'
import { askedInTime } from '../asked-in-time.runtime.ts'
import type {
  AskAuthorization,
  AuthorizationAnswer,
  AuthorizationCheck,
  ExternalAuthorizationSpec,
  HeaderChange,
  HttpAuthorizationService,
} from './external-authorization.spec.ts'
import { matchesHeader } from './header-pattern.runtime.ts'
import { partialBodyHeader, type ShownBody, shownBody } from './shown-body.runtime.ts'

export interface ExternalAuthorizationDeps {
  readonly clock: Clock
  readonly ask: AskAuthorization
  /** SPIFFE ID of the workload that the request is for. */
  readonly principal: string | undefined
}

export function externalAuthorizationFilter(
  spec: ExternalAuthorizationSpec,
  deps: ExternalAuthorizationDeps,
): HttpFilter {
  return {
    name: 'envoy.filters.http.ext_authz',
    // a server asked by gRPC names them in its answer
    ownsHeader: (name) => spec.service.kind === 'http' && matchesHeader(spec.service.headersToUpstreamOnAllow, name),
    async apply(request) {
      const { requestBody, service } = spec
      const waits = requestBody !== undefined && request.body !== undefined
      const body = waits ? await shownBody(request.body, requestBody, service.kind) : undefined
      if (body !== undefined && 'refusal' in body) return body.refusal
      try {
        const check = checkOf(request, body, spec, deps)
        const answer = await askedInTime(deps.clock, spec.timeoutMs, (signal) => deps.ask(check, signal))
        return answerRequest(request, interpret(answer, spec))
      } catch {
        if (spec.failOpen) return undefined
        return { status: spec.statusOnError, flags: ['UAEX'], detail: 'no answer from external authorization' }
      }
    },
  }
}

function checkOf(
  { head, peer }: FilteredRequest,
  shown: ShownBody | undefined,
  { headersInCheck, service }: ExternalAuthorizationSpec,
  { clock, principal }: ExternalAuthorizationDeps,
): AuthorizationCheck {
  const all = service.kind === 'grpc' && headersInCheck.length === 0
  const headers = new Map<string, string>()
  for (const [written] of head.headers) {
    const name = written.toLowerCase()
    const told = all || (service.kind === 'http' && name === 'authorization') || matchesHeader(headersInCheck, name)
    if (told) headers.set(name, head.headers.get(name) ?? '')
  }
  // whatever the caller says of that
  headers.delete(partialBodyHeader)
  if (shown !== undefined) headers.set(partialBodyHeader, String(shown.partial))
  return {
    source: { address: peer.remoteAddress, principal: peer.principal },
    destination: { address: peer.localAddress, port: peer.localPort, principal },
    sni: peer.sni,
    timeMs: clock.nowMs(),
    method: head.method,
    scheme: head.scheme,
    authority: head.authority,
    path: head.path,
    headers,
    ...(shown === undefined ? {} : { body: shown.body }),
  }
}

type Decision = Exclude<AuthorizationAnswer, { kind: 'http' }>

/** By HTTP 200 allows, and a server's fault is no answer. Throws an Error then. */
function interpret(answer: AuthorizationAnswer, { service }: ExternalAuthorizationSpec): Decision {
  if (answer.kind !== 'http') return answer
  if (service.kind !== 'http') throw new Error('an answer by HTTP to a question by gRPC')
  const { status, body } = answer
  if (status >= 500) throw new Error(`the server answered with status ${status}`)
  if (status === 200) return { kind: 'allowed', changes: upstreamChanges(answer.headers, service), remove: [] }
  const changes = answer.headers
    .filter(([name]) => isForCaller(name, service))
    .map(([name, value]): HeaderChange => ({ name, value, how: 'add' }))
  return { kind: 'denied', status, changes, body }
}

function upstreamChanges(
  headers: readonly (readonly [name: string, value: string])[],
  { headersToUpstreamOnAllow }: HttpAuthorizationService,
): HeaderChange[] {
  const seen = new Set<string>()
  return headers.flatMap(([name, value]): HeaderChange[] => {
    if (framingHeaders.has(name) || !matchesHeader(headersToUpstreamOnAllow, name)) return []
    const how = seen.has(name) ? 'add' : 'set'
    seen.add(name)
    return [{ name, value, how }]
  })
}

/** Those without which a refusal makes no sense are passed on always. */
const alwaysForCaller = new Set(['location', 'www-authenticate', 'proxy-authenticate'])

function isForCaller(name: string, { headersToDownstreamOnDeny }: HttpAuthorizationService): boolean {
  if (framingHeaders.has(name)) return false
  return (
    headersToDownstreamOnDeny.length === 0 ||
    alwaysForCaller.has(name) ||
    matchesHeader(headersToDownstreamOnDeny, name)
  )
}

/** They say where a message ends, whom it is for, or how it travels: no other server has a say in that. */
export const framingHeaders: ReadonlySet<string> = new Set([
  'host',
  'expect',
  'content-encoding',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'date',
])

export const headerName: RegExp = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/

/** Nothing is changed unless all can be: half of an answer may mean something else. Throws an Error when it cannot. */
function checkChanges(names: readonly string[]): void {
  for (const name of names)
    if (!headerName.test(name) || framingHeaders.has(name)) throw new Error(`the answer changes "${name}"`)
}

function answerRequest(request: FilteredRequest, answer: Decision): FilterResult {
  if (answer.kind === 'denied') return refusal(answer)
  const { head, ownedHeaders = [] } = request
  const names = [...answer.changes.map(({ name }) => name), ...answer.remove]
  checkChanges(names)
  request.ownedHeaders = [...ownedHeaders, ...names]
  for (const name of answer.remove) head.headers.delete(name)
  for (const change of answer.changes) applyChange(head.headers, change)
  return undefined
}

function applyChange(headers: HeaderList, { name, value, how }: HeaderChange): void {
  if (how === 'add') headers.add(name, value)
  else if (how === 'set' || headers.has(name) === (how === 'set-if-present')) headers.set(name, value)
}

function refusal({ status, changes, body }: Extract<Decision, { kind: 'denied' }>): FilterRefusal {
  const headers = changes.filter(({ name }) => headerName.test(name) && !framingHeaders.has(name))
  return {
    status: status >= 200 && status <= 599 ? status : 403,
    flags: ['UAEX'],
    detail: body === '' ? 'denied by external authorization' : body,
    ...(headers.length === 0 ? {} : { headers: headers.flatMap(({ name, value }) => [name, value]) }),
  }
}
