// The endpoints of a Service as those that call it see them right now: asked at the proxies' admin ports when somebody looks.
import { Agent, get } from 'node:http'

import { z } from 'zod'

import type { EndpointList, EndpointView } from '../../contracts/read-api.ts'
import type { ProxyAdmins, TappedProxy } from './mesh-tap.ts'

const mostProxies = 16
const timeoutMs = 1_000
const mostBytes = 4 * 1024 * 1024

/** What is read of a proxy's /clusters: endpoints by cluster, "reviews.default.svc.cluster.local:80". */
const clustersAnswer = z.record(
  z.string(),
  z.array(
    z.object({
      address: z.string(),
      workload: z.string().optional(),
      activeRequests: z.number(),
      ejected: z.string().optional(),
      unhealthy: z.string().optional(),
    }),
  ),
)
type Clusters = z.output<typeof clustersAnswer>

export class MeshEndpoints {
  readonly #deps: ProxyAdmins

  constructor(deps: ProxyAdmins) {
    this.#deps = deps
  }

  /** Of all ports of a host. `callers`: names of proxies, those to ask first. */
  async of(host: string, callers: readonly string[]): Promise<EndpointList> {
    const wanted = new Set(callers.slice(0, mostProxies))
    const proxies = this.#deps.proxies().filter(({ name }) => wanted.has(name))
    const answers = await Promise.allSettled(proxies.map((proxy) => this.#ask(proxy)))
    const endpoints = new Map<string, EndpointView>()
    const asked: string[] = []
    const silent: string[] = []
    for (const [index, { name }] of proxies.entries()) {
      const answer = answers[index]
      if (answer?.status !== 'fulfilled') silent.push(name)
      else {
        asked.push(name)
        add(endpoints, name, answer.value, host)
      }
    }
    return { asked, silent, endpoints: [...endpoints.values()].toSorted((a, b) => (a.address < b.address ? -1 : 1)) }
  }

  #ask({ adminUrl }: TappedProxy): Promise<Clusters> {
    const { clock, token } = this.#deps
    return new Promise((resolve, reject) => {
      // an own agent: Node's global one obeys HTTP_PROXY when NODE_USE_ENV_PROXY is set
      const agent = new Agent({ keepAlive: false })
      const request = get(new URL('/clusters', adminUrl), { agent, headers: { authorization: `Bearer ${token}` } })
      const timer = clock.setTimer(timeoutMs, () => request.destroy(new Error('no answer in time')))
      request.on('close', () => timer.cancel())
      request.on('error', reject)
      request.on('response', (answer) => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (part: string) => {
          text += part
          if (text.length > mostBytes) request.destroy(new Error('the answer is too long'))
        })
        answer.on('error', reject)
        answer.on('end', () => {
          try {
            resolve(clustersAnswer.parse(JSON.parse(text)))
          } catch (error) {
            reject(error)
          }
        })
      })
    })
  }
}

function add(endpoints: Map<string, EndpointView>, by: string, clusters: Clusters, host: string): void {
  for (const [cluster, states] of Object.entries(clusters)) {
    if (!cluster.startsWith(`${host}:`)) continue
    for (const { address, workload, activeRequests, ejected, unhealthy } of states) {
      const before = endpoints.get(address)
      const reasons = [ejected, unhealthy].filter((why) => why !== undefined)
      endpoints.set(address, {
        address,
        ...(workload !== undefined && { workload }),
        activeRequests: (before?.activeRequests ?? 0) + activeRequests,
        passedOver: [...(before?.passedOver ?? []), ...reasons.map((why) => ({ by, why }))],
      })
    }
  }
}
