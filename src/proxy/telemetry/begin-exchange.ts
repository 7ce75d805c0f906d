// A new exchange with what is known at its beginning; the rest is filled in on its way.
import type { RequestHead } from '../../contracts/http-message.ts'
import type { Clock } from '../../core/clock.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { Random } from '../../core/random.ts'
import { beginTrace, markTrace, type SamplingShare } from '../../policies/tracing/trace-context.runtime.ts'
import type { TracingSpec } from '../../policies/tracing/tracing.spec.ts'
import type { Connection } from '../io/connection.ts'
import type { ListenerConfig } from '../runtime/runtime-config.ts'
import type { Exchange, TracedExchange } from './exchange.ts'

const reporters = { inbound: 'destination', outbound: 'source', gateway: 'gateway' } as const

/** `protocol`: "HTTP/1.1", or "TCP", whose request has no method. */
export function beginExchange(
  clock: Clock,
  revision: string,
  listener: ListenerConfig,
  caller: Connection,
  request: RequestHead,
  protocol: string,
): Exchange {
  const sourcePrincipal = caller.tls?.peerSpiffeId
  return {
    startMonotonicMs: clock.monotonicMs(),
    durationMs: 0,
    reporter: reporters[listener.direction],
    listener: listener.name,
    request,
    protocol,
    requestBytes: 0,
    responseBytes: 0,
    source: caller,
    sourcePrincipal,
    mtls: sourcePrincipal !== undefined,
    revision,
    authorization: undefined,
    egressRefused: undefined,
    rateLimit: undefined,
    filters: undefined,
    metadata: undefined,
    routeConfiguration: undefined,
    virtualHost: undefined,
    route: undefined,
    split: undefined,
    cluster: undefined,
    destinationService: undefined,
    destinationWorkload: undefined,
    destinationPrincipal: undefined,
    destinationAddress: undefined,
    attempts: [],
    status: 0,
    grpcStatus: undefined,
    flags: [],
    detail: undefined,
    accessLog: undefined,
    muted: undefined,
    traced: undefined,
  }
}

/** The next hop is told of this one, where that matters. */
export function beginTraced(
  headers: HeaderList,
  { collector, attributes, ignoresCallers }: TracingSpec,
  samplingShare: SamplingShare,
  random: Random,
): TracedExchange {
  const context = beginTrace(headers, samplingShare, random, ignoresCallers)
  if (!context.passedOn) markTrace(headers, context, context.spanId)
  return { context, collector, attributes }
}
