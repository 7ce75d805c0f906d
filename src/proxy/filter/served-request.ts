// One request as a listener serves it: found its routes, decided upon, forwarded or answered, and told to the sink when it is over.
import type { ResponseFlag } from '../../contracts/decision-record.ts'
import type { FilterRefusal, FilterResult } from '../../contracts/http-filter.ts'
import type { ResponseHead } from '../../contracts/http-message.ts'
import { errorMessage } from '../../core/errors.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { Logger } from '../../core/logger.ts'
import type { Caller } from '../../policies/forwarded-headers/forwarded-headers.runtime.ts'
import type { RequestHasher } from '../../policies/load-balancing/hash-policy.runtime.ts'
import {
  defaultPaths,
  normalizePath,
  pathRefusal,
} from '../../policies/path-normalization/path-normalization.runtime.ts'
import { defaultStreamIdleTimeoutMs } from '../../policies/timeouts/timeouts.runtime.ts'
import type { ClusterSet } from '../cluster/cluster-set.ts'
import type { HttpProtocol, ServerStream, ServerStreamHandler } from '../codec/http-stream.ts'
import { HttpParseError } from '../codec/http1/parse-error.ts'
import type { StreamOrigin } from '../listener/downstream-connection.ts'
import { decide, type ForwardDecision, type RespondDecision } from '../runtime/decide.ts'
import type { HttpConnectionManagerConfig, RouteSource } from '../runtime/runtime-config.ts'
import { tcpIdleTimeoutMs } from '../tcp/tcp-proxy.ts'
import type { Exchange, ExchangeSink } from '../telemetry/exchange.ts'
import { sendReply, textResponse } from '../upstream/local-reply.ts'
import { sendMirror } from '../upstream/mirror.ts'
import { type ExchangeKeeper, type ForwardDeps, type ForwardPlan, ProxiedRequest } from '../upstream/proxied-request.ts'
import { replayBytes, RequestBody } from '../upstream/request-body.ts'
import type { Authority } from './authority.ts'
import { prepareRequest, remoteAddressOf } from './first-hop.ts'
import { type HttpFilters, runFilters } from './http-filters.ts'
import { peerFacts } from './peer-facts.ts'
import type { RouteLookup, RouteLookupResult } from './route-lookup.ts'
import { takeSpoken } from './spoken-protocol.ts'
import { WatchedRequest } from './watched-request.ts'

export interface ServeDeps extends ForwardDeps {
  /** Of this proxy. */
  readonly spiffeId: string
  readonly lookup: RouteLookup
  readonly filters: HttpFilters
  readonly clusters: ClusterSet
  readonly sink: ExchangeSink
  readonly logger: Logger
}

export class ServedRequest extends WatchedRequest implements ServerStreamHandler, ExchangeKeeper {
  readonly #deps: ServeDeps
  readonly #stream: ServerStream
  readonly #origin: StreamOrigin
  readonly #exchange: Exchange
  readonly #body: RequestBody
  /** By whoever made the request first: between sidecars HTTP/1.1 may travel as HTTP/2. */
  #spoken: HttpProtocol
  #proxied: ProxiedRequest | undefined
  /** An answer of our own that waits for the end of the request. */
  #pending: { readonly head: ResponseHead; readonly body: Buffer; readonly detail: string } | undefined
  #mirrorTo: ForwardDecision | undefined
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
    const { routes, accessLog, paths = defaultPaths, forwarding, streamIdleTimeoutMs } = chain.filter
    this.#exchange.accessLog = accessLog
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
      if (chain.filter.filters !== undefined)
        remoteAddress = remoteAddressOf(request, caller, direction, forwarding, this.#exchange.mtls)
    }
    const result = chain.filter.filters === undefined ? undefined : this.#filter(chain.filter, remoteAddress)
    if (result instanceof Promise) {
      this.#stream.pause()
      void this.#awaitFilters(result, routes)
    } else if (result === undefined) this.#route(routes)
    else this.#refuseFiltered(result)
  }

  #filter(manager: HttpConnectionManagerConfig, remoteAddress: string): FilterResult | Promise<FilterResult> {
    const { request: head, connection } = this.#stream
    const query = head.path.indexOf('?')
    const path = query === -1 ? head.path : head.path.slice(0, query)
    const peer = peerFacts(connection, remoteAddress)
    const filtered = { head, path, peer, token: undefined, authorization: undefined }
    const result = runFilters(this.#deps.filters.of(manager), filtered, (error) =>
      this.#deps.logger.error('filter failed', { error: errorMessage(error) }),
    )
    const noted = (refusal: FilterResult): FilterResult => {
      this.#exchange.authorization = filtered.authorization
      return refusal
    }
    return result instanceof Promise ? result.then(noted) : noted(result)
  }

  async #awaitFilters(pending: Promise<FilterResult>, routes: RouteSource): Promise<void> {
    const result = await pending
    if (this.#finished) return
    if (result === undefined) this.#route(routes)
    else this.#refuseFiltered(result)
    this.#stream.resume()
  }

  #refuseFiltered({ status, flags, detail, headers = [] }: FilterRefusal): void {
    const { head, body } = textResponse(status, detail)
    // of a body that is somebody else's
    if (headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-type'))
      head.headers.delete('content-type')
    for (let i = 0; i < headers.length; i += 2) head.headers.add(headers[i] as string, headers[i + 1] as string)
    this.#answer(head, body, flags, detail)
  }

  #route(routes: RouteSource): void {
    const { connectedTo } = this.#origin
    const authority = connectedTo === undefined ? this.#stream.request.authority : hostPort(connectedTo)
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
    this.#proxied?.bodyEnd()
    this.#mirror()
    if (this.#pending === undefined) return
    const { head, body, detail } = this.#pending
    sendReply(this.#stream, this.#exchange, head, body, detail)
    this.finish()
  }

  onDrain(): void {
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
    const exchange = this.#exchange
    const { status } = exchange
    // A protocol that was changed to may be as silent as opaque bytes.
    if (status === 101 && timeoutMs < tcpIdleTimeoutMs) {
      this.watch(this.#deps.clock, this.#deps.deadlines, tcpIdleTimeoutMs)
      return
    }
    const detail = `nothing has moved for ${Math.round(timeoutMs / 1000)} s`
    exchange.flags.push('SI')
    exchange.detail = detail
    this.#proxied?.callerGone()
    if (status === 0) {
      // Another try by the caller would be as long: 504 says that it is not the caller's fault.
      const { head, body } = textResponse(this.#body.complete ? 504 : 408, detail)
      sendReply(this.#stream, exchange, head, body, detail)
    } else this.#stream.abort(new Error(detail))
    this.finish()
  }

  /** A defect while deciding concerns this request, not the proxy. */
  #found(result: RouteLookupResult): void {
    try {
      this.#act(result)
    } catch (error) {
      this.#deps.logger.error('request not served', { error: errorMessage(error) })
      if (this.#proxied === undefined)
        this.#refuse(500, [], 'heddle could not decide on this request: its log says why')
      else this.#stream.abort(new Error('request not served'))
    }
  }

  #act(result: RouteLookupResult): void {
    if (this.#stream.request.method === 'CONNECT' && result.kind !== 'refused') {
      this.#connect(result.kind === 'routes' ? result.routes.config.name : undefined)
      return
    }
    switch (result.kind) {
      case 'refused':
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
        if (decision.kind === 'respond') this.#respond(decision)
        else this.#forward(decision)
      }
    }
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
    const { timeouts, retry } = cluster.settingsOf(decision.action)
    const { request, modifyResponse } = decision
    if (decision.mirrors.length > 0) this.#mirrorTo = decision
    if (this.#body.complete) this.#mirror()
    const plan = {
      cluster,
      request,
      spoken: this.#spoken,
      timeouts,
      retry,
      hash: undefined,
      session: decision.session,
      modifyResponse,
    }
    this.#proxy(decision.hasher === undefined ? plan : { ...plan, ...this.#hashed(decision, decision.hasher) })
  }

  #hashed({ modifyResponse }: ForwardDecision, hasher: RequestHasher): Pick<ForwardPlan, 'hash' | 'modifyResponse'> {
    const { direction } = this.#origin.listener.config
    const { request } = this.#stream
    const { spiffeId, random } = this.#deps
    const filter = this.#origin.chain()?.filter
    const forwarding = filter?.kind === 'http' ? filter.forwarding : undefined
    const caller = {
      address: remoteAddressOf(request, this.#caller(), direction, forwarding, this.#exchange.mtls),
      // the application behind a sidecar is who the sidecar is
      spiffeId: direction === 'outbound' ? spiffeId : this.#exchange.sourcePrincipal,
    }
    const { hash, setCookies } = hasher(request, caller, random)
    if (setCookies === undefined) return { hash, modifyResponse }
    return {
      hash,
      modifyResponse(response) {
        modifyResponse(response)
        for (const line of setCookies) response.headers.add('set-cookie', line)
      },
    }
  }

  #passThrough({ host, port }: Authority): void {
    const cluster = this.#deps.clusters.passthrough(host, port)
    this.#exchange.cluster = cluster.config.name
    const request = { ...this.#stream.request, headers: this.#stream.request.headers.clone() }
    const spoken = this.#spoken
    this.#proxy({
      cluster,
      request,
      spoken,
      timeouts: {},
      retry: undefined,
      hash: undefined,
      session: undefined,
      modifyResponse: () => {},
    })
  }

  #proxy(plan: ForwardPlan): void {
    this.#proxied = new ProxiedRequest(this.#deps, this.#stream, this.#exchange, this.#body, plan, this)
    this.#proxied.start()
  }

  #mirror(): void {
    const decision = this.#mirrorTo
    if (decision === undefined) return
    this.#mirrorTo = undefined
    const body = this.#body.whole()
    if (body === undefined) return
    for (const name of decision.mirrors) {
      const cluster = this.#deps.clusters.get(name)
      if (cluster !== undefined) sendMirror(this.#deps, cluster, this.#spoken, decision.request, body)
    }
  }

  #connect(service: string | undefined): void {
    const authority = hostAndPort(this.#stream.request.authority)
    // Not now: the connection is in the middle of reading.
    queueMicrotask(() => {
      if (this.#finished) return
      const { connection, head } = this.#stream.takeOver({ status: 200, headers: new HeaderList() })
      this.#origin.continueConnect(connection, head, {
        authority,
        service,
        onTunnelClosed: ({ sentBytes, receivedBytes }, error) => {
          const exchange = this.#exchange
          exchange.cluster = 'passthrough'
          exchange.destinationAddress = hostPort(authority)
          exchange.requestBytes = sentBytes
          exchange.responseBytes = receivedBytes
          exchange.status = 200
          exchange.detail = error?.message
          if (error !== undefined) exchange.flags.push('UF')
          this.finish()
        },
      })
    })
  }

  #refuse(status: number, flags: readonly ResponseFlag[], detail: string): void {
    const { head, body } = textResponse(status, detail)
    this.#answer(head, body, flags, detail)
  }

  #answer(head: ResponseHead, body: Buffer, flags: readonly ResponseFlag[], detail: string): void {
    const exchange = this.#exchange
    exchange.flags.push(...flags)
    exchange.detail = detail
    const { bodyLength, expectsContinue } = this.#stream
    // A short body is taken in first: the connection can then go on.
    if (!this.#body.complete && typeof bodyLength === 'number' && bodyLength <= replayBytes && !expectsContinue) {
      exchange.status = head.status
      this.#pending = { head, body, detail }
      return
    }
    sendReply(this.#stream, exchange, head, body, detail)
    this.finish()
  }

  /** The exchange is over. */
  finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.#deps.deadlines.remove(this)
    const exchange = this.#exchange
    exchange.durationMs = this.#deps.clock.monotonicMs() - exchange.startMonotonicMs
    this.#deps.sink.finished(exchange)
  }
}

function hostPort({ host, port }: Authority): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function hostAndPort(authority: string): Authority {
  const colon = authority.lastIndexOf(':')
  return { host: authority.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(authority.slice(colon + 1)) }
}
