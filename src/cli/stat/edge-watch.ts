// Scrapes every proxy of a mesh and shows the traffic of its edges, once or as it flows.
import type { MeshState } from '../../contracts/mesh-state.ts'
import type { CliContext } from '../context.ts'
import { formatLatency } from '../format.ts'
import { SidecarClient, proxyEndpoints } from '../mesh/sidecar-client.ts'
import type { TableView } from '../output.ts'
import { compareEdges, sumEdges, type Edge, type EdgeTotals } from './edges.ts'
import { parsePrometheus } from './prometheus-text.ts'

const home = '\u001B[H'
const clearLineEnd = '\u001B[K'
const clearBelow = '\u001B[J'

export interface EdgeShow {
  readonly intervalMs: number
  /** Lines above the table on a terminal. */
  readonly head: () => string
}

export class EdgeWatch {
  readonly #context: CliContext
  readonly #mesh: () => MeshState | Promise<MeshState>
  readonly #client: SidecarClient
  #before: EdgeTotals = new Map()
  #beforeMs = 0

  /** `mesh` is asked before each look: workloads come and go. */
  constructor(context: CliContext, mesh: () => MeshState | Promise<MeshState>) {
    this.#context = context
    this.#mesh = mesh
    // metrics need no token
    this.#client = new SidecarClient('')
  }

  /** The traffic since the look before. Proxies that do not answer are left out. */
  async look(): Promise<Edge[]> {
    const mesh = await this.#mesh()
    const texts = await Promise.all(proxyEndpoints(mesh).map((proxy) => this.#client.metrics(proxy).catch(() => '')))
    const nowMs = this.#context.host.clock.monotonicMs()
    const totals = sumEdges(texts.flatMap(parsePrometheus))
    const edges = compareEdges(this.#before, totals, nowMs - this.#beforeMs)
    this.#before = totals
    this.#beforeMs = nowMs
    return edges
  }

  /** A terminal shows one picture that changes; anything else gets table after table. Ends with `signal`. */
  async show(signal: AbortSignal, options: EdgeShow): Promise<void> {
    const { host, output } = this.#context
    const isTerminal = host.stdout.isTTY === true
    if (isTerminal) output.write(`${home}${clearBelow}`)
    await this.look()
    while (!signal.aborted) {
      await pause(this.#context, options.intervalMs, signal)
      if (signal.aborted) break
      const table = output.renderTable(edgeTable(await this.look()))
      if (!isTerminal) output.write(`${table}\n`)
      else output.write(`${home}${`${options.head()}${table}`.replaceAll('\n', `${clearLineEnd}\n`)}${clearBelow}`)
    }
    this.close()
  }

  close(): void {
    this.#client.close()
  }
}

/** Names go without their namespace when there is only one. */
export function edgeTable(edges: readonly Edge[]): TableView {
  const namespaces = new Set(edges.flatMap(({ source, workload }) => [namespaceOf(source), namespaceOf(workload)]))
  namespaces.delete(undefined)
  const short = (name: string): string => (namespaces.size > 1 ? name : name.slice(name.indexOf('/') + 1))
  return {
    columns: [
      { header: 'FROM' },
      { header: 'SERVICE' },
      { header: 'WORKLOAD' },
      { header: 'RATE', align: 'right' },
      { header: 'SUCCESS', align: 'right' },
      { header: 'P50', align: 'right' },
      { header: 'P99', align: 'right' },
    ],
    rows: edges.map(({ source, service, workload, requestsPerSecond, success, p50Ms, p99Ms }) => [
      short(source),
      shortService(service, namespaces.size > 1),
      short(workload),
      `${requestsPerSecond.toFixed(1)}/s`,
      success === undefined ? '-' : `${(success * 100).toFixed(1)}%`,
      formatLatency(p50Ms),
      formatLatency(p99Ms),
    ]),
    empty: 'no request yet',
  }
}

function namespaceOf(workload: string): string | undefined {
  const slash = workload.indexOf('/')
  return slash < 0 ? undefined : workload.slice(0, slash)
}

/** "reviews.default.svc.cluster.local" → "reviews.default" or "reviews"; hosts outside the mesh stay as they are. */
function shortService(service: string, withNamespace: boolean): string {
  const inside = /^([^.]+)\.([^.]+)\.svc\.cluster\.local$/.exec(service)
  if (inside === null) return service
  return withNamespace ? `${inside[1]}.${inside[2]}` : `${inside[1]}`
}

export function pause({ host }: CliContext, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = host.clock.setTimer(delayMs, done, true)
    function done(): void {
      timer.cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
