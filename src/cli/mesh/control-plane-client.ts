// The control plane's HTTP API, typed.
import type {
  ApiError,
  ApiRole,
  ApiToken,
  ApplyResult,
  AuthorityStatus,
  DocumentKey,
  DocumentView,
  JoinToken,
  JoinTokenList,
  JoinTokenRequest,
  ProxyStatus,
  RotationKind,
  RoutesView,
  TrustBundleDocument,
} from '../../contracts/control-api.ts'
import type { DesiredState, WorkloadStatus } from '../../contracts/desired-state.ts'
import type { MeshState } from '../../contracts/mesh-state.ts'
import type { Problem } from '../../contracts/problem.ts'
import type {
  ConfigurationView,
  EventList,
  RequestList,
  RequestView,
  RevisionDifference,
  ServiceView,
  TrafficKey,
  TrafficSums,
} from '../../contracts/read-api.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { CliError } from '../cli-error.ts'
import { HttpClient, type HttpAnswer, type HttpRequest } from './http-client.ts'

/** The API could not be reached at all. */
export class UnreachableError extends CliError {}

/** A time that is over, or ends now. */
export interface AskedTime {
  readonly windowMs: number
  readonly agoMs: number
}

export interface AskedTraffic extends AskedTime {
  readonly by: readonly TrafficKey[]
  /** Of the history. */
  readonly parts: number
}

export interface AskedEvents extends Partial<AskedTime> {
  readonly afterId?: number
  readonly most: number
}

/** Every method throws UnreachableError when nobody answers, CliError when the answer is an error. */
export class ControlPlaneClient {
  readonly #http = new HttpClient()
  readonly #url: string
  readonly #token: string

  constructor(url: string, token: string) {
    this.#url = url
    this.#token = token
  }

  mesh(): Promise<MeshState> {
    return this.#json('/v1/mesh')
  }

  /** With `after`, answers when the revision is another one, or after about 25 s. */
  desired(after: string | undefined, signal: AbortSignal): Promise<DesiredState> {
    const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`
    return this.#json(`/v1/desired${query}`, { idleTimeoutMs: 40_000, signal })
  }

  async problems(): Promise<readonly Problem[]> {
    return (await this.#json<{ problems: readonly Problem[] }>('/v1/problems')).problems
  }

  proxies(): Promise<{ readonly revision: string; readonly proxies: readonly ProxyStatus[] }> {
    return this.#json('/v1/proxies')
  }

  traffic(asked: AskedTraffic): Promise<TrafficSums> {
    return this.#json(`/v1/traffic?${queryOf({ ...asked, by: asked.by.join(',') })}`)
  }

  async events(asked: AskedEvents): Promise<EventList['events']> {
    return (await this.#json<EventList>(`/v1/events?${queryOf({ ...asked })}`)).events
  }

  /** Undefined: there is none. */
  async service(namespace: string, name: string): Promise<ServiceView | undefined> {
    const path = [namespace, name].map(encodeURIComponent).join('/')
    const answer = await this.#ask(`/v1/services/${path}`, {})
    if (answer.status === 404) return undefined
    failUnlessOk(answer)
    return JSON.parse(answer.text) as ServiceView
  }

  configuration(): Promise<ConfigurationView> {
    return this.#json('/v1/configuration')
  }

  /** Of two revisions. */
  difference(from: number, to: number): Promise<RevisionDifference> {
    return this.#json(`/v1/difference?${queryOf({ from, to })}`)
  }

  async documents(filter: Partial<DocumentKey> = {}): Promise<readonly DocumentView[]> {
    const query = new URLSearchParams(filter as Record<string, string>).toString()
    return (await this.#json<{ documents: readonly DocumentView[] }>(`/v1/documents?${query}`)).documents
  }

  /** The RouteConfiguration of that name as the sidecar of the workload gets it. */
  async routesOf(namespace: string, name: string, routes: string): Promise<Uint8Array> {
    const path = [namespace, name, 'routes', routes].map(encodeURIComponent).join('/')
    return Buffer.from((await this.#json<RoutesView>(`/v1/workloads/${path}`)).body, 'base64')
  }

  /** Problems of the documents are in the result, not thrown. */
  async apply(yaml: string, options: { readonly dryRun: boolean }): Promise<ApplyResult> {
    const answer = await this.#ask(`/v1/documents?dryRun=${options.dryRun}`, {
      method: 'PUT',
      body: { contentType: 'application/yaml', text: yaml },
    })
    if (answer.status !== 422) failUnlessOk(answer)
    return JSON.parse(answer.text) as ApplyResult
  }

  async delete(key: DocumentKey): Promise<ApplyResult> {
    const path = [key.kind, key.namespace === '' ? '-' : key.namespace, key.name].map(encodeURIComponent).join('/')
    const answer = await this.#ask(`/v1/documents/${path}`, { method: 'DELETE' })
    if (answer.status !== 409) failUnlessOk(answer)
    return JSON.parse(answer.text) as ApplyResult
  }

  requests(query: Readonly<Record<string, string>>): Promise<RequestList> {
    return this.#json(`/v1/requests?${new URLSearchParams(query).toString()}`)
  }

  /** By its id, a request id or a trace id; undefined: it is not known. */
  async request(id: string): Promise<RequestView | undefined> {
    const answer = await this.#ask(`/v1/requests/${encodeURIComponent(id)}`, {})
    if (answer.status === 404) return undefined
    failUnlessOk(answer)
    return JSON.parse(answer.text) as RequestView
  }

  createJoinToken(request: JoinTokenRequest): Promise<JoinToken> {
    return this.#json('/v1/join-tokens', { method: 'POST', body: jsonBody(request) })
  }

  joinTokens(): Promise<JoinTokenList> {
    return this.#json('/v1/join-tokens')
  }

  async revokeJoinToken(id: string): Promise<void> {
    failUnlessOk(await this.#ask(`/v1/join-tokens/${encodeURIComponent(id)}`, { method: 'DELETE' }))
  }

  async reportWorkloads(workloads: readonly WorkloadStatus[]): Promise<void> {
    failUnlessOk(await this.#ask('/v1/workload-statuses', { method: 'PUT', body: jsonBody({ workloads }) }))
  }

  async workloadStatuses(): Promise<readonly WorkloadStatus[]> {
    return (await this.#json<{ workloads: readonly WorkloadStatus[] }>('/v1/workload-statuses')).workloads
  }

  authority(): Promise<AuthorityStatus> {
    return this.#json('/v1/authority')
  }

  trustBundle(): Promise<TrustBundleDocument> {
    return this.#json('/v1/authority/bundle')
  }

  startRotation(kind: RotationKind | 'jwt'): Promise<AuthorityStatus> {
    // a program of the user's may be asked first, and has 20 s
    return this.#json('/v1/authority/rotations', { method: 'POST', body: jsonBody({ kind }), idleTimeoutMs: 30_000 })
  }

  revoke(spiffeId: string, reason: string): Promise<AuthorityStatus> {
    return this.#json('/v1/authority/revocations', { method: 'POST', body: jsonBody({ spiffeId, reason }) })
  }

  createToken(
    name: string,
    role: ApiRole,
  ): Promise<{ readonly name: string; readonly role: ApiRole; readonly token: string }> {
    return this.#json('/v1/tokens', { method: 'POST', body: jsonBody({ name, role }) })
  }

  async tokens(): Promise<readonly ApiToken[]> {
    return (await this.#json<{ tokens: readonly ApiToken[] }>('/v1/tokens')).tokens
  }

  async deleteToken(name: string): Promise<void> {
    failUnlessOk(await this.#ask(`/v1/tokens/${encodeURIComponent(name)}`, { method: 'DELETE' }))
  }

  close(): void {
    this.#http.close()
  }

  async #json<T>(path: string, options: HttpRequest = {}): Promise<T> {
    const answer = await this.#ask(path, options)
    failUnlessOk(answer)
    return JSON.parse(answer.text) as T
  }

  async #ask(path: string, options: HttpRequest): Promise<HttpAnswer> {
    try {
      return await this.#http.ask(`${this.#url}${path}`, { ...options, token: this.#token })
    } catch (error) {
      const why = errorCode(error) === 'ECONNREFUSED' ? 'nothing listens there' : errorMessage(error)
      throw new UnreachableError(`the control plane at ${this.#url} does not answer: ${why}`, {
        hint: 'see whether `heddle up` still runs; it restarts a control plane that died',
        exitCode: 1,
      })
    }
  }
}

function queryOf(asked: Readonly<Record<string, string | number>>): string {
  return new URLSearchParams(
    Object.entries(asked).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString()
}

function jsonBody(value: unknown): { contentType: string; text: string } {
  return { contentType: 'application/json', text: JSON.stringify(value) }
}

function failUnlessOk({ status, text }: HttpAnswer): void {
  if (status >= 200 && status < 300) return
  let error: Partial<ApiError> = {}
  try {
    error = JSON.parse(text) as Partial<ApiError>
  } catch {
    // not our API: the status says it
  }
  throw new CliError(error.message ?? `the control plane answered ${status}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    exitCode: status >= 500 || status === 404 ? 1 : 2,
  })
}
