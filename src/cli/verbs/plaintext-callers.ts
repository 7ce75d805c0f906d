// `heddle certs plaintext-callers`: who still comes in plaintext to the ports under PERMISSIVE, and whether STRICT would break anybody.
import type { MeshState, WorkloadState } from '../../contracts/mesh-state.ts'
import { inboundName } from '../../contracts/xds/names.ts'
import { errorMessage } from '../../core/errors.ts'
import type { PlaintextCaller, PlaintextCallersOfListener } from '../../proxy/telemetry/plaintext-callers.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge } from '../format.ts'
import { ControlPlaneClient } from '../mesh/control-plane-client.ts'
import { openProxies } from '../mesh/running-mesh.ts'
import { SidecarClient } from '../mesh/sidecar-client.ts'

interface NamedCaller extends PlaintextCaller {
  /** "namespace/name", when the address is that of one workload alone. */
  readonly workload?: string
}

interface PermissivePort {
  readonly port: number
  readonly sinceMs: number
  readonly callers: readonly NamedCaller[]
}

interface WorkloadAnswer {
  readonly workload: string
  /** `unknown`: its sidecar did not answer. */
  readonly strictWouldBreak: boolean | 'unknown'
  readonly error?: string
  readonly ports: readonly PermissivePort[]
}

/** Exits with 1 when STRICT would break somebody, or a sidecar does not say. */
export async function plaintextCallers(context: CliContext, options: MeshOptions): Promise<ExitCode> {
  const mesh = await openProxies(context, options)
  const names = await workloadsByAddress(mesh)
  const client = new SidecarClient(mesh.adminToken)
  const asked = await Promise.all(mesh.workloads.map((workload) => ask(client, workload, names)))
  client.close()
  const workloads = asked.filter(({ ports, error }) => ports.length > 0 || error !== undefined)
  const strictWouldBreak = workloads.some((one) => one.strictWouldBreak !== false)
  if (options.output !== 'table') {
    await context.output.structured(options.output, { strictWouldBreak, workloads })
  } else if (workloads.length === 0) {
    context.output.line('no port is PERMISSIVE')
  } else {
    showTable(context, workloads)
  }
  return strictWouldBreak ? 1 : 0
}

/** Addresses that several workloads share, as on one machine, name nobody. */
async function workloadsByAddress(mesh: MeshState): Promise<ReadonlyMap<string, string>> {
  const client = new ControlPlaneClient(mesh.adminUrl, mesh.adminToken)
  const names = new Map<string, string>()
  const shared = new Set<string>()
  try {
    for (const { namespace, name, document } of await client.documents({ kind: 'Workload' })) {
      const { address } = (document as { readonly spec: { readonly address: string } }).spec
      if (names.has(address)) shared.add(address)
      names.set(address, `${namespace}/${name}`)
    }
  } finally {
    client.close()
  }
  for (const address of shared) names.delete(address)
  return names
}

async function ask(
  client: SidecarClient,
  workload: WorkloadState,
  names: ReadonlyMap<string, string>,
): Promise<WorkloadAnswer> {
  const { namespace, name, adminUrl, metricsUrl } = workload
  const proxy = { kind: 'sidecar', namespace, name, adminUrl, metricsUrl } as const
  const base = { workload: `${namespace}/${name}` }
  try {
    const listeners = await client.admin<PlaintextCallersOfListener[]>(proxy, '/plaintext_callers')
    const ports = workload.inbound.flatMap(({ port }): PermissivePort[] => {
      const found = listeners.find(({ listener }) => listener === inboundName(port))
      if (found === undefined) return []
      return [{ port, sinceMs: found.sinceMs, callers: found.callers.map((caller) => named(caller, names)) }]
    })
    return { ...base, strictWouldBreak: ports.some(({ callers }) => callers.length > 0), ports }
  } catch (error) {
    return { ...base, strictWouldBreak: 'unknown', error: errorMessage(error), ports: [] }
  }
}

function named(caller: PlaintextCaller, names: ReadonlyMap<string, string>): NamedCaller {
  const workload = names.get(caller.address)
  return workload === undefined ? caller : { ...caller, workload }
}

function showTable(context: CliContext, workloads: readonly WorkloadAnswer[]): void {
  const nowMs = context.host.clock.nowMs()
  const ago = (epochMs: number): string => `${formatAge(nowMs - epochMs)} ago`
  const rows = workloads.flatMap(({ workload, ports }) =>
    ports.flatMap(({ port, callers }) =>
      callers.map((caller) => [
        workload,
        String(port),
        caller.address,
        caller.workload ?? '',
        String(caller.connections),
        String(caller.requests),
        caller.openConnections > 0 ? 'now' : ago(caller.lastSeenMs),
      ]),
    ),
  )
  context.output.table({
    columns: [
      { header: 'WORKLOAD' },
      { header: 'PORT', align: 'right' },
      { header: 'CALLER' },
      { header: 'CALLER WORKLOAD' },
      { header: 'CONNECTIONS', align: 'right' },
      { header: 'REQUESTS', align: 'right' },
      { header: 'LAST SEEN' },
    ],
    rows,
    empty: 'nobody came in plaintext',
  })
  context.output.line()
  for (const { workload, strictWouldBreak, error, ports } of workloads) {
    const since = ago(Math.max(...ports.map(({ sinceMs }) => sinceMs)))
    if (strictWouldBreak === 'unknown') context.output.line(`${workload}: not known: ${error ?? ''}`)
    else if (strictWouldBreak) context.output.line(`${workload}: STRICT would break callers`)
    else context.output.line(`${workload}: STRICT would break nobody who came since ${since}`)
  }
}
