// The admin APIs of the sidecars and gateways of a running mesh, typed.
import type { IncomingMessage } from 'node:http'

import type { MeshState } from '../../contracts/mesh-state.ts'
import { CliError } from '../cli-error.ts'
import { HttpClient } from './http-client.ts'

export interface ProxyEndpoint {
  readonly kind: 'sidecar' | 'gateway'
  readonly namespace: string
  readonly name: string
  readonly adminUrl: string
  readonly metricsUrl: string
}

/** Every sidecar, then every gateway (once, however many listeners it has). */
export function proxyEndpoints(mesh: MeshState): ProxyEndpoint[] {
  const gateways = new Map<string, ProxyEndpoint>()
  for (const { namespace, name, adminUrl, metricsUrl } of mesh.gateways) {
    gateways.set(`${namespace}/${name}`, { kind: 'gateway', namespace, name, adminUrl, metricsUrl })
  }
  const sidecars = mesh.workloads.map(({ namespace, name, adminUrl, metricsUrl }): ProxyEndpoint => ({
    kind: 'sidecar',
    namespace,
    name,
    adminUrl,
    metricsUrl,
  }))
  return [...sidecars, ...gateways.values()]
}

/** By "name", "namespace/name" or node id ("gateway~default~public"). Throws CliError when none or several fit. */
export function findProxy(mesh: MeshState, wanted: string): ProxyEndpoint {
  const all = proxyEndpoints(mesh)
  const fitting = all.filter(({ kind, namespace, name }) =>
    [name, `${namespace}/${name}`, `${kind}~${namespace}~${name}`].includes(wanted),
  )
  const [first] = fitting
  if (first !== undefined && fitting.length === 1) return first
  if (first === undefined) {
    const known = all.map(({ namespace, name }) => `${namespace}/${name}`).join(', ')
    throw new CliError(`no proxy is called ${wanted}`, { hint: `there are: ${known === '' ? 'none' : known}` })
  }
  const ids = fitting.map(({ kind, namespace, name }) => `${kind}~${namespace}~${name}`).join(', ')
  throw new CliError(`${wanted} could be several proxies`, { hint: `say which: ${ids}` })
}

export class SidecarClient {
  readonly #http = new HttpClient()
  readonly #token: string

  constructor(token: string) {
    this.#token = token
  }

  /** Rejects with an Error that says why when the sidecar does not answer. */
  async admin<T>(proxy: ProxyEndpoint, path: string): Promise<T> {
    const answer = await this.#http.ask(`${proxy.adminUrl}${path}`, { token: this.#token })
    if (answer.status !== 200) throw new Error(`its admin API answered ${answer.status}`)
    return JSON.parse(answer.text) as T
  }

  /** Prometheus exposition. */
  async metrics(proxy: ProxyEndpoint): Promise<string> {
    const answer = await this.#http.ask(proxy.metricsUrl)
    if (answer.status !== 200) throw new Error(`its metrics answered ${answer.status}`)
    return answer.text
  }

  /** Decision records, one JSON object a line, until `signal` aborts or the sidecar stops. */
  async tap(proxy: ProxyEndpoint, query: URLSearchParams, signal: AbortSignal): Promise<IncomingMessage> {
    const response = await this.#http.open(`${proxy.adminUrl}/tap?${query.toString()}`, {
      token: this.#token,
      idleTimeoutMs: 0,
      signal,
    })
    if (response.statusCode === 200) return response
    response.resume()
    throw new Error(`its admin API answered ${response.statusCode}`)
  }

  close(): void {
    this.#http.close()
  }
}
