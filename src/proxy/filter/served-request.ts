// One request as a listener serves it: found its routes, decided upon, forwarded or answered, and told to the sink when it is over.
import type { AuthorizationRecord, ResponseFlag } from '../../contracts/decision-record.ts'
import type { FilterRefusal, FilterResult } from '../../contracts/http-filter.ts'
import type { ResponseHead } from '../../contracts/http-message.ts'
import { errorMessage } from '../../core/errors.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { Logger } from '../../core/logger.ts'
import { authorizationRefusal, type Authorizer } from '../../policies/authorization/authorization.runtime.ts'
import { joinVerdicts } from '../../policies/authorization/egress-verdict.runtime.ts'
import type { Caller } from '../../policies/forwarded-headers/forwarded-headers.runtime.ts'
import {
  defaultPaths,
  normalizePath,
  pathRefusal,
} from '../../policies/path-normalization/path-normalization.runtime.ts'
import { defaultStreamIdleTimeoutMs, idleTimeoutMs } from '../../policies/timeouts/timeouts.runtime.ts'
import type { ClusterSet } from '../cluster/cluster-set.ts'
import type { HttpProtocol, ServerStream, ServerStreamHandler } from '../codec/http-stream.ts'
import { HttpParseError } from '../codec/http1/parse-error.ts'
import type { StreamOrigin } from '../listener/downstream-connection.ts'
import {
  decide,
  type FilterDecision,
  type ForwardDecision,
  type RespondDecision,
  type RoutedDecision,
} from '../runtime/decide.ts'
import type { FilterChainConfig, HttpConnectionManagerConfig, RouteSource } from '../runtime/runtime-config.ts'
import { tcpIdleTimeoutMs } from '../tcp/tcp-proxy.ts'
import type { Exchange, ExchangeSink } from '../telemetry/exchange.ts'
import type { TraceSampling } from '../telemetry/trace-sampling.ts'
import { refusalResponse, sendReply, textResponse } from '../upstream/local-reply.ts'
import { type ForwardDeps, type ForwardPlan, ProxiedRequest } from '../upstream/proxied-request.ts'
import { replayBytes, RequestBody } from '../upstream/request-body.ts'
import { type Authority, formatAuthority } from './authority.ts'
import type { FilteredOwner, FilteredResponse } from './filtered-response.ts'
import { prepareRequest, remoteAddressOf } from './first-hop.ts'
import { hashedRequest, type HashedPart } from './hashed-request.ts'
import type { HttpFilters } from './http-filters.ts'
import { RequestFilters } from './request-filters.ts'
import { RequestMirrors } from './request-mirrors.ts'
import type { RouteLookup, RouteLookupResult } from './route-lookup.ts'
import { serveConnect } from './served-connect.ts'
import { takeSpoken } from './spoken-protocol.ts'
import { WatchedRequest } from './watched-request.ts'

export interface ServeDeps extends ForwardDeps {
  /** Of this proxy. */
  readonly spiffeId: string
  readonly lookup: RouteLookup
  readonly filters: HttpFilters
  readonly sampling: TraceSampling
  readonly clusters: ClusterSet
  readonly sink: ExchangeSink
  readonly logger: Logger
}

export class ServedRequest extends WatchedRequest implements ServerStreamHandler, FilteredOwner {
  readonly #deps: ServeDeps
  readonly #stream: ServerStream
  readonly #origin: StreamOrigin
  readonly #exchange: Exchange
  readonly #body: RequestBody
  /** By whoever made the request first: between sidecars HTTP/1.1 may travel as HTTP/2. */
  #spoken: HttpProtocol
  #proxied: ProxiedRequest | undefined
  /** Sends an answer of our own that waits for the end of the request. */
  #pending: (() => void) | undefined
  #mirrors: RequestMirrors | undefined
  /** Made when first needed: most listeners have no filters. */
  #filters: RequestFilters | undefined
  #filtering = false
  /** By the destination: how long nothing may move. */
  #idleSaid = false
  /** Where filters look at the response. */
  #filtered: FilteredResponse | undefined
  #finished = false

  constructor(deps: ServeDeps, stream: ServerStream, origin: StreamOrigin, exchange: Exchange) {
    super()
    this.#deps = deps
    this.#stream = stream
    this.#origin = origin
    this.#exchange = exchange
    this.#body = new RequestBody(stream.bodyLength)
    this.#spoken = stream.protocol
  }

  start(): void {
    const { request } = this.#stream
    const { listener, connectedTo } = this.#origin
    const chain = this.#origin.chain()
    const tls = chain?.tls
    const anonymous = tls?.kind === 'mesh' && tls.requireClientCertificate && !this.#exchange.mtls
    if (chain?.filter.kind !== 'http' || anonymous) {
      this.#refuse(403, [], 'this listener has come to demand mutual TLS: connect again through a sidecar')
      return
    }
    const { routes, accessLog, muted, paths = defaultPaths, forwarding, streamIdleTimeoutMs, tracing } = chain.filter
    this.#exchange.accessLog = accessLog
    this.#exchange.muted = muted
    if (tls?.kind === 'terminate') {
      request.scheme = 'https'
    } else if (request.scheme === 'https' && tls === undefined && this.#stream.protocol !== 'HTTP/2') {
      this.#refuse(400, [], 'heddle does not start TLS for a client: use CONNECT for https URLs, or http')
      return
    }
    if (request.method === 'CONNECT' && (routes.kind !== 'forward-proxy' || connectedTo !== undefined)) {
      this.#refuse(405, [], 'CONNECT is only for the outbound proxy port')
      return
    }
    const { direction } = listener.config
    if (direction === 'inbound') this.#spoken = takeSpoken(this.#stream)
    let remoteAddress = this.#stream.connection.remoteAddress
    if (request.method !== 'CONNECT') {
      this.watch(this.#deps.clock, this.#deps.deadlines, streamIdleTimeoutMs ?? defaultStreamIdleTimeoutMs)
      const path = normalizePath(request.path, paths)
      if (path === undefined) {
        this.#refuse(400, ['DPE'], pathRefusal)
        return
      }
      request.path = path
      const caller = this.#caller()
      prepareRequest(request, caller, direction, forwarding, this.#deps.random)
      if (tracing !== undefined) this.#exchange.traced = this.#deps.sampling.begin(this.#exchange, tracing)
      if (chain.filter.filters !== undefined)
        remoteAddress = remoteAddressOf(request, caller, direction, forwarding, this.#exchange.mtls)
    }
    const result =
      chain.filter.filters === undefined ? undefined : this.#requestFilters().run(chain.filter, remoteAddress)
    if (result instanceof Promise) {
      if (!this.#body.awaited) this.#stream.pause()
      this.#filtering = true
      void this.#awaitFilters(result, chain.filter)
    } else if (result === undefined) this.#route(routes)
    else this.#refuseFiltered(result)
  }

  #requestFilters(): RequestFilters {
    return (this.#filters ??= new RequestFilters(this.#deps, this.#stream, this.#body, this.#exchange))
  }

  async #awaitFilters(pending: Promise<FilterResult>, manager: HttpConnectionManagerConfig): Promise<void> {
    const result = await pending
    this.#filtering = false
    if (this.#finished) return
    if (result !== undefined) this.#refuseFiltered(result)
    // meanwhile other policies may have come
    else if (this.#origin.chain()?.filter === manager || !this.reauthorize()) this.#route(manager.routes)
    this.#stream.resume()
  }

  /** By policies that came since, from what it was as it began. True: it is not allowed any more, and has ended. */
  reauthorize(): boolean {
    // in the filters it has nothing yet to be asked about; what is refused anyhow waits for the end of its body
    if (this.#finished || this.#filtering || this.#pending !== undefined) return false
    const verdict = this.#refusalNow()
    if (verdict === undefined) return false
    this.#exchange.authorization = verdict
    const { status, detail } = authorizationRefusal
    const called = this.#exchange.status !== 0 && this.#proxied?.endCall(status, detail) === true
    this.#end(status, 'UAEX', `no longer allowed: ${verdict.reason}`, detail, called)
    return true
  }

  #refusalNow(): AuthorizationRecord | undefined {
    const filter = this.#origin.chain()?.filter
    return this.#deps.filters.refusalOf(filter, (authorizer) =>
      authorizer.authorize(this.#requestFilters().facts(() => this.#remoteAddress(filter))),
    )
  }

  #remoteAddress(filter: FilterChainConfig['filter'] | undefined = this.#origin.chain()?.filter): string {
    const { request } = this.#stream
    const caller = this.#caller()
    if (filter?.kind !== 'http' || request.method === 'CONNECT') return caller.address
    const { direction } = this.#origin.listener.config
    return remoteAddressOf(request, caller, direction, filter.forwarding, this.#exchange.mtls)
  }

  #refuseFiltered(refusal: FilterRefusal): void {
    const { head, body } = refusalResponse(refusal)
    this.#answer(head, body, refusal.flags, refusal.detail, refusal.grpcStatus)
  }

  #route(routes: RouteSource): void {
    const { connectedTo } = this.#origin
    const authority = connectedTo === undefined ? this.#stream.request.authority : formatAuthority(connectedTo)
    const found = this.#deps.lookup.find(routes, authority, 80)
    if (!(found instanceof Promise)) {
      this.#found(found)
      return
    }
    this.#stream.pause()
    void this.#await(found)
  }

  #caller(): Caller {
    const { connection, protocol } = this.#stream
    return { address: connection.remoteAddress, protocol, secure: connection.tls !== undefined }
  }

  async #await(found: Promise<RouteLookupResult>): Promise<void> {
    const result = await found
    if (this.#finished) return
    this.#found(result)
    this.#stream.resume()
  }

  onData(bytes: Uint8Array): void {
    this.#exchange.requestBytes += bytes.length
    if (this.#proxied !== undefined) this.#proxied.bodyData(bytes)
    else if (this.#pending === undefined && !this.#finished && !this.#body.take(bytes, undefined)) this.#stream.pause()
  }

  onEnd(trailers: HeaderList | undefined): void {
    this.#body.end(trailers)
    this.#filters?.guardTrailers()
    this.#proxied?.bodyEnd()
    this.#mirror()
    this.#pending?.()
  }

  onDrain(): void {
    if (this.#filtered === undefined) this.#proxied?.callerDrained()
    else this.#filtered.callerDrained()
  }

  filteredDrained(): void {
    this.#proxied?.callerDrained()
  }

  onClosed(error: Error | undefined): void {
    if (error === undefined) return
    if (!this.#finished) {
      const malformed = error instanceof HttpParseError
      this.#exchange.flags.push(malformed ? 'DPE' : 'DC')
      this.#exchange.detail ??= error.message
      if (malformed) this.#exchange.status = error.status
    }
    this.#proxied?.callerGone()
    this.finish()
  }

  get progress(): number {
    const { requestBytes, responseBytes, attempts, status } = this.#exchange
    return requestBytes + responseBytes + attempts.length + status
  }

  stalled(timeoutMs: number): void {
    const { status } = this.#exchange
    // A protocol that was changed to may be as silent as opaque bytes.
    if (status === 101 && !this.#idleSaid && timeoutMs < tcpIdleTimeoutMs) {
      this.watch(this.#deps.clock, this.#deps.deadlines, tcpIdleTimeoutMs)
      return
    }
    // Another try by the caller would be as long: 504 says that it is not the caller's fault.
    this.#end(this.#body.complete ? 504 : 408, 'SI', `nothing has moved for ${Math.round(timeoutMs / 1000)} s`)
  }

  /** Ends it under way. `said` is for the caller: with `status` where it has no answer yet. `told`: it has been said already. */
  #end(status: number, flag: ResponseFlag, detail: string, said = detail, told = false): void {
    const exchange = this.#exchange
    exchange.flags.push(flag)
    exchange.detail = detail
    const begun = exchange.status !== 0
    if (!begun) {
      const { head, body } = textResponse(status, said)
      sendReply(this.#stream, exchange, head, body, said)
    }
    this.#proxied?.callerGone()
    this.finish()
    // last: the caller who goes away then is our own doing
    if (begun && !told) this.#stream.abort(new Error(said))
  }

  /** A defect while deciding concerns this request, not the proxy. */
  #found(result: RouteLookupResult): void {
    try {
      this.#act(result)
    } catch (error) {
      this.#undecided(error)
    }
  }

  #undecided(error: unknown): void {
    this.#deps.logger.error('request not served', { error: errorMessage(error) })
    if (this.#proxied === undefined) this.#refuse(500, [], 'heddle could not decide on this request: its log says why')
    else this.#stream.abort(new Error('request not served'))
  }

  #act(result: RouteLookupResult): void {
    if (this.#stream.request.method === 'CONNECT' && result.kind !== 'refused') {
      const service = result.kind === 'routes' ? result.routes.config.name : undefined
      serveConnect(this.#deps, this.#stream, this.#origin, this.#exchange, service, {
        finished: () => this.#finished,
        refuse: (refusal) => this.#refuseFiltered(refusal),
        remoteAddress: () => this.#remoteAddress(),
        refusalNow: () => this.#refusalNow(),
        finish: () => this.finish(),
      })
      return
    }
    switch (result.kind) {
      case 'refused':
        this.#exchange.egressRefused = result.egressRefused
        this.#refuse(result.status, [result.flag], result.detail)
        return
      case 'passthrough':
        this.#passThrough(result.authority)
        return
      case 'routes': {
        const decision = decide(this.#stream.request, result.routes, this.#deps.random, this.#deps.clock)
        const exchange = this.#exchange
        exchange.routeConfiguration = decision.routeConfiguration
        exchange.virtualHost = decision.virtualHost
        exchange.route = decision.route
        if (decision.kind === 'filter') this.#filterRouted(decision)
        else this.#follow(decision)
      }
    }
  }

  #follow(decision: RoutedDecision): void {
    if (decision.kind === 'respond') this.#respond(decision)
    else this.#forward(decision)
  }

  #filterRouted({ filters, request, proceed }: FilterDecision): void {
    const result = this.#requestFilters().runRouted(filters, request, () => this.#remoteAddress())
    if (!(result instanceof Promise)) {
      if (result === undefined) this.#follow(proceed())
      else this.#refuseFiltered(result)
      return
    }
    if (!this.#body.awaited) this.#stream.pause()
    void this.#awaitRouted(result, proceed)
  }

  async #awaitRouted(pending: Promise<FilterResult>, proceed: FilterDecision['proceed']): Promise<void> {
    const refusal = await pending
    if (this.#finished) return
    try {
      if (refusal === undefined) this.#follow(proceed())
      else this.#refuseFiltered(refusal)
    } catch (error) {
      this.#undecided(error)
    }
    this.#stream.resume()
  }

  #respond(decision: RespondDecision): void {
    const { status, headers, flags, detail } = decision
    const body = Buffer.from(decision.body)
    if (!headers.has('server')) headers.add('server', 'heddle')
    if (body.length > 0 && !headers.has('content-type')) headers.add('content-type', 'text/plain; charset=utf-8')
    this.#answer({ status, headers }, body, flags, detail)
  }

  #forward(decision: ForwardDecision): void {
    const exchange = this.#exchange
    exchange.split = decision.split
    exchange.cluster = decision.cluster
    const cluster = this.#deps.clusters.get(decision.cluster)
    if (cluster === undefined) {
      const detail = `route ${decision.route.name} leads to ${decision.cluster}, which this proxy has no cluster for`
      const { head, body } = textResponse(503, detail)
      decision.modifyResponse(head)
      this.#answer(head, body, ['NC'], detail)
      return
    }
    exchange.destinationService = cluster.serviceHost
    if (decision.authorizer !== undefined && !this.#mayLeave(decision, decision.authorizer)) return
    const { timeouts, retry } = cluster.settingsOf(decision.action)
    this.#idleSaid = timeouts.idleMs !== undefined
    if (this.#idleSaid) this.watch(this.#deps.clock, this.#deps.deadlines, idleTimeoutMs(timeouts, Infinity))
    const { request } = decision
    const modifies = this.#filters?.modifying(decision.modifyResponse) ?? decision.modifyResponse
    const { hash, modifyResponse } = this.#hashed(decision, modifies)
    if (decision.mirrors.length > 0) this.#mirrors = new RequestMirrors(this.#deps, decision)
    if (this.#body.complete) this.#mirror()
    this.#proxy({
      cluster,
      request,
      spoken: this.#spoken,
      timeouts,
      retry,
      hash,
      subset: decision.subset,
      session: decision.session,
      modifyResponse,
      faults: decision.faults,
      compression: this.#filters?.compression,
    })
  }

  #hashed({ hasher, routed }: ForwardDecision, modifyResponse: ForwardPlan['modifyResponse']): HashedPart {
    if (hasher === undefined) return { hash: undefined, modifyResponse }
    // the application behind a sidecar is who the sidecar is
    const outbound = this.#origin.listener.config.direction === 'outbound'
    const spiffeId = outbound ? this.#deps.spiffeId : this.#exchange.sourcePrincipal
    const caller = { address: this.#remoteAddress(), spiffeId }
    return hashedRequest(hasher, routed, caller, this.#deps.random, modifyResponse)
  }

  /** Answers the request where policies of its destination refuse it. */
  #mayLeave({ modifyResponse }: ForwardDecision, authorizer: Authorizer): boolean {
    const exchange = this.#exchange
    const verdict = authorizer.authorize(this.#requestFilters().facts(() => this.#remoteAddress()))
    exchange.authorization = joinVerdicts(exchange.authorization, verdict)
    if (verdict.allowed) return true
    exchange.egressRefused = 'policy'
    const { status, flags, detail } = authorizationRefusal
    const { head, body } = textResponse(status, detail)
    modifyResponse(head)
    this.#answer(head, body, flags, detail)
    return false
  }

  #passThrough({ host, port }: Authority): void {
    const cluster = this.#deps.clusters.passthrough(host, port)
    this.#exchange.cluster = cluster.config.name
    const request = { ...this.#stream.request, headers: this.#stream.request.headers.clone() }
    this.#proxy({
      cluster,
      request,
      spoken: this.#spoken,
      timeouts: {},
      retry: undefined,
      hash: undefined,
      subset: undefined,
      session: undefined,
      modifyResponse: () => {},
      faults: undefined,
    })
  }

  #proxy(plan: ForwardPlan): void {
    const way = this.#wayBack()
    this.#proxied = new ProxiedRequest(this.#deps, way ?? this.#stream, this.#exchange, this.#body, plan, way ?? this)
    this.#proxied.start()
  }

  #wayBack(): FilteredResponse | undefined {
    return (this.#filtered ??= this.#filters?.wayBack(this))
  }

  /** Once the body is whole. */
  #mirror(): void {
    if (this.#mirrors === undefined) return
    this.#mirrors.send(this.#body.whole(), this.#spoken)
    if (this.#finished) this.#mirrors.compare(this.#exchange)
  }

  #refuse(status: number, flags: readonly ResponseFlag[], detail: string): void {
    const { head, body } = textResponse(status, detail)
    this.#answer(head, body, flags, detail)
  }

  #answer(
    head: ResponseHead,
    body: Uint8Array,
    flags: readonly ResponseFlag[],
    detail: string,
    grpcStatus?: number,
  ): void {
    const exchange = this.#exchange
    this.#filters?.respond(head)
    exchange.flags.push(...flags)
    exchange.detail = detail
    const { bodyLength, expectsContinue } = this.#stream
    const way = this.#wayBack()
    const send = (): void => {
      sendReply(way ?? this.#stream, exchange, head, body, detail, grpcStatus)
      if (way === undefined) this.finish()
      else way.finish()
    }
    // A short body is taken in first: the connection can then go on.
    if (!this.#body.complete && typeof bodyLength === 'number' && bodyLength <= replayBytes && !expectsContinue) {
      exchange.status = head.status
      this.#pending = send
      return
    }
    send()
  }

  /** The exchange is over. */
  finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.#filters?.end()
    this.#filtered?.cut()
    this.#body.abandon()
    this.#deps.deadlines.remove(this)
    const exchange = this.#exchange
    exchange.durationMs = this.#deps.clock.monotonicMs() - exchange.startMonotonicMs
    this.#deps.sink.finished(exchange)
    this.#mirrors?.compare(exchange)
  }
}
