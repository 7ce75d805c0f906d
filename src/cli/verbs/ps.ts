// `heddle ps`: mesh.json, as it is for machines, as a table for people.
import type { MeshState } from '../../contracts/mesh-state.ts'
import { formatProblem } from '../../contracts/problem.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { connect, openMesh } from '../mesh/running-mesh.ts'
import type { TableView } from '../output.ts'

export async function ps(context: CliContext, options: MeshOptions): Promise<ExitCode> {
  const mesh = await openMesh(context, options)
  await context.output.answer(options.output, mesh, () => workloadTable(mesh))
  if (options.output === 'table') {
    context.output.line(addressLines(mesh).trimEnd())
    await sayExpiry(context, options)
  }
  return 0
}

/** That nothing will be trusted some day is not to be overlooked. mesh.json serves without the control plane, too. */
async function sayExpiry(context: CliContext, options: MeshOptions): Promise<void> {
  const client = connect(context, options)
  try {
    const problems = await client.problems()
    for (const problem of problems) if (problem.code === 'HDL015') context.output.note(formatProblem(problem))
  } catch {
    // it says nothing while it is away
  } finally {
    client.close()
  }
}

export function workloadTable(mesh: MeshState): TableView {
  return {
    columns: [
      { header: 'WORKLOAD' },
      { header: 'READY' },
      { header: 'IDENTITY' },
      { header: 'OUTBOUND PROXY' },
      { header: 'INBOUND' },
    ],
    rows: mesh.workloads.map(({ namespace, name, ready, reason, spiffeId, outboundProxy, inbound }) => [
      `${namespace}/${name}`,
      ready ? 'yes' : reason === undefined ? 'no' : `no: ${reason}`,
      spiffeId,
      outboundProxy,
      inbound.map(({ port, address }) => `${port} at ${address}`).join(', '),
    ]),
    empty: 'no workloads',
  }
}

/** Gateways, then where the mesh itself answers. */
export function addressLines(mesh: MeshState): string {
  const lines = mesh.gateways.map(
    ({ namespace, name, listener, address }) => `gateway ${namespace}/${name} (${listener}): http://${address}`,
  )
  if (mesh.dashboardUrl !== undefined) lines.push(`dashboard: ${mesh.dashboardUrl}`)
  lines.push(`control plane: ${mesh.adminUrl}, xDS ${mesh.xdsAddress}, revision ${mesh.revision}`)
  return `\n${lines.join('\n')}\n`
}
