// Asks a server that counts for all proxies whether a request is within its limits, as Envoy's ratelimit filter does. No answer lets it pass,
// unless the policy says otherwise.
import type { FilteredRequest, FilterRefusal, FilterResult, HttpFilter } from '../../contracts/http-filter.ts'
import { askedInTime } from '../asked-in-time.runtime.ts'
import { framingHeaders, headerName } from '../external-authorization/external-authorization.runtime.ts'
import { compileEntry, type ReadValue } from './descriptor.runtime.ts'
import type { RateLimitDeps } from './local-rate-limit.runtime.ts'
import type { AskRateLimit, DescriptorActionSpec, GlobalRateLimitSpec, RateLimitAnswer } from './rate-limit.spec.ts'
import { limitedRefusal } from './refusal.runtime.ts'

export interface GlobalRateLimitDeps extends Pick<RateLimitDeps, 'clock' | 'countRateLimit'> {
  readonly ask: AskRateLimit
}

interface CompiledEntry {
  readonly key: string
  readonly read: ReadValue
}

type Entry = { readonly key: string; readonly value: string }

export function globalRateLimitFilter(spec: GlobalRateLimitSpec, deps: GlobalRateLimitDeps): HttpFilter {
  const { clock, ask, countRateLimit } = deps
  const { name, domain, server } = spec
  const count = countRateLimit(name)
  const compiled = spec.descriptors.map((entries) => entries.map(compileAction))
  const asked = async (request: FilteredRequest, descriptors: readonly Entry[][]): Promise<FilterResult> => {
    let answer: RateLimitAnswer
    try {
      answer = await askedInTime(clock, server.timeoutMs, (signal) => ask({ domain, descriptors }, signal))
    } catch {
      count('failed')
      return server.failureModeDeny ? uncounted(server.statusOnError) : undefined
    }
    count(answer.limited ? 'limited' : 'allowed')
    if (answer.limited) {
      request.rateLimit = { limit: name, enforced: true }
      return refusalOf(answer, domain)
    }
    const { requestHeaders, responseHeaders } = answer
    forHeaders(requestHeaders, (header, value) => {
      request.head.headers.set(header, value)
      request.ownedHeaders = [...(request.ownedHeaders ?? []), header]
    })
    forHeaders(responseHeaders, (header, value) => (request.responseHeaders ??= []).push(header, value))
    return undefined
  }
  return {
    name: 'envoy.filters.http.ratelimit',
    apply(request) {
      const descriptors = compiled.flatMap((entries) => descriptorOf(entries, request))
      return descriptors.length === 0 ? undefined : asked(request, descriptors)
    },
  }
}

function compileAction(action: DescriptorActionSpec): CompiledEntry {
  const { key } = action
  if (!('constant' in action)) return { key, read: compileEntry(action) }
  const { constant } = action
  return { key, read: () => constant }
}

/** None where the request does not have all of it. A server wants no empty value. */
function descriptorOf(entries: readonly CompiledEntry[], request: FilteredRequest): [Entry[]] | [] {
  const descriptor: Entry[] = []
  for (const { key, read } of entries) {
    const value = read(request)
    if (value === undefined || value === '') return []
    descriptor.push({ key, value })
  }
  return [descriptor]
}

function uncounted(status: number): FilterRefusal {
  return { status, flags: ['RLSE'], detail: 'no answer from the rate limit server' }
}

function refusalOf({ reached, responseHeaders, body }: RateLimitAnswer, domain: string): FilterRefusal {
  const name = reached === undefined || reached.name === '' ? domain : reached.name
  const policy = { name, quota: reached?.requests, windowSeconds: reached?.windowSeconds }
  const refusal = limitedRefusal(policy, reached === undefined ? undefined : Math.max(1, reached.resetSeconds))
  const added: string[] = []
  forHeaders(responseHeaders, (header, value) => added.push(header, value))
  return { ...refusal, ...(body === '' ? {} : { detail: body }), headers: [...(refusal.headers ?? []), ...added] }
}

/** Those that say where a message ends, or how it travels, are no server's to set. */
function forHeaders(pairs: readonly string[], set: (header: string, value: string) => void): void {
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const header = pairs[i] as string
    const value = pairs[i + 1] as string
    if (headerName.test(header) && !framingHeaders.has(header) && !/[\0\r\n]/.test(value)) set(header, value)
  }
}
