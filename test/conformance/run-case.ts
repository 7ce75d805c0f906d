// Sends one case's request from its workload until the answer is right three times in a row, or the time is over.
import { setTimeout as wait } from 'node:timers/promises'

import type { Echo } from '../kit/echo-server.ts'
import { GrpcEchoClient, grpcEchoPath } from '../kit/grpc-echo.ts'
import { send, sendThroughProxy } from '../kit/http-client.ts'
import type { WireResponse } from '../kit/http-client.ts'
import type { RunningMesh } from '../kit/running-mesh.ts'
import type { PodAddresses } from './mesh-folder.ts'
import type { Distribution, SuiteCase } from './suite.ts'
import { complaints, distributionComplaints } from './verdict.ts'

const requiredConsecutiveSuccesses = 3
const maxTimeToConsistencyMs = 30_000
const retryEveryMs = 50
const requestsAtOnce = 8

/** Empty when the case passes, else what was wrong the last time. */
export async function runCase(one: SuiteCase, mesh: RunningMesh, pods: PodAddresses): Promise<string[]> {
  const { distribution } = one.expect
  if (distribution !== undefined) return runDistribution(one, distribution, mesh, pods)
  const untilMs = performance.now() + maxTimeToConsistencyMs
  let successes = 0
  for (;;) {
    const wrong = await attempt(one, mesh, pods)
    successes = wrong.length === 0 ? successes + 1 : 0
    if (successes === requiredConsecutiveSuccesses) return []
    if (successes > 0) continue
    if (performance.now() >= untilMs) return wrong
    await wait(retryEveryMs)
  }
}

async function attempt(one: SuiteCase, mesh: RunningMesh, pods: PodAddresses): Promise<string[]> {
  const { url, hostHeader, response } = exchange(one, mesh, pods)
  try {
    return complaints(one, url, hostHeader, await response)
  } catch (error) {
    return [String(error)]
  }
}

interface Exchange {
  readonly url: URL
  readonly hostHeader: string
  readonly response: Promise<WireResponse>
}

function exchange(one: SuiteCase, mesh: RunningMesh, pods: PodAddresses): Exchange {
  const { from, request } = one
  const client = mesh.workload(from.pod, from.namespace)
  if (request.protocol === 'grpc') return grpcExchange(one, client.outboundProxy)
  const { method = 'GET', headers = {}, dial } = request
  const host = request.host.replace(/^\{podIP:(.+)\}:(\d+)$/, (_, pod: string, port: string) => {
    return pods.get(`${pod}.${from.namespace}:${port}`) ?? 'unknown.invalid'
  })
  const url = new URL(`http://${host}${request.path}`)
  const hostHeader = request.hostHeader ?? url.host
  if (dial === undefined) {
    return { url, hostHeader, response: sendThroughProxy(client.outboundProxy, url.href, { method, headers }) }
  }
  // on the outbound port the name is the choice; a Service dialled under another name is its loopback listener
  const listener = client.services.find(({ name, namespace, port }) => {
    return name === dial && namespace === from.namespace && port === 80
  })
  const address = listener?.address ?? 'unknown.invalid'
  const target = url.pathname + url.search
  return { url, hostHeader, response: send({ address, target, method, headers: { ...headers, host: hostHeader } }) }
}

/** A channel of its own for each call, through the sidecar's outbound port. The cases name neither service nor method: the echo service has one. */
export function grpcExchange({ request }: SuiteCase, proxy?: string): Exchange {
  const client = new GrpcEchoClient(request.host, proxy)
  return {
    url: new URL(`http://${request.host}${grpcEchoPath}`),
    hostHeader: request.host,
    response: client.send(request.headers ?? {}).finally(() => client.close()),
  }
}

async function runDistribution(
  one: SuiteCase,
  distribution: Distribution,
  mesh: RunningMesh,
  pods: PodAddresses,
): Promise<string[]> {
  let wrong: string[] = []
  for (let tries = 0; tries < distribution.maxAttempts; tries++) {
    const counts = new Map<string, number>()
    for (let sent = 0; sent < distribution.requests; sent += requestsAtOnce) {
      const size = Math.min(requestsAtOnce, distribution.requests - sent)
      const answers = await Promise.allSettled(Array.from({ length: size }, () => exchange(one, mesh, pods).response))
      for (const answer of answers) {
        const backend = answer.status === 'rejected' ? String(answer.reason) : backendOf(answer.value)
        counts.set(backend, (counts.get(backend) ?? 0) + 1)
      }
    }
    wrong = distributionComplaints(distribution, counts)
    if (wrong.length === 0) return []
  }
  return wrong
}

function backendOf({ status, body }: WireResponse): string {
  return status === 200 ? (JSON.parse(body) as Echo).pod : `status ${status}`
}
