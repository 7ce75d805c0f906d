// `heddle certs revoke`: makes an end of everything that an identity was given so far, at all proxies, and waits until they say so.
import type { AuthorityStatus, RevocationStatus } from '../../contracts/control-api.ts'
import { formatSpiffeId, gatewayServiceAccount } from '../../contracts/identity/spiffe-id.ts'
import type { MeshState } from '../../contracts/mesh-state.ts'
import { sleep } from '../../core/clock.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge, formatTime } from '../format.ts'
import { connect, openMesh } from '../mesh/running-mesh.ts'
import { findProxy } from '../mesh/sidecar-client.ts'
import type { TableView } from '../output.ts'
import { Progress } from '../up/progress.ts'

const pollMs = 100
/** A proxy that is connected has answered long before. */
const patienceMs = 10_000

export interface RevokeOptions extends MeshOptions {
  readonly reason: string
}

/** Exits with 1 when a proxy does not refuse it yet: it is not connected, and will be told when it is. */
export async function certsRevoke(context: CliContext, identity: string, options: RevokeOptions): Promise<ExitCode> {
  const { host, output } = context
  const mesh = await openMesh(context, options)
  const client = connect(context, options)
  const progress = new Progress(host)
  const trustDomain = (await client.authority()).trustDomain
  const spiffeId = identity.startsWith('spiffe://') ? identity : spiffeIdOf(mesh, identity, trustDomain)
  const untilMs = host.clock.monotonicMs() + patienceMs
  let entry = entryOf(await client.revoke(spiffeId, options.reason), spiffeId)
  while (entry !== undefined && entry.waitingFor.length > 0 && host.clock.monotonicMs() < untilMs) {
    progress.show(`revoked; waits for ${entry.waitingFor.join(', ')}`)
    await sleep(host.clock, pollMs)
    entry = entryOf(await client.authority(), spiffeId)
  }
  client.close()
  progress.clear()
  const held = holders(mesh, spiffeId, trustDomain)
  const revocations = entry === undefined ? [] : [entry]
  await output.answer(options.output, { revocations, heldBy: held }, () =>
    revocationsTable(revocations, host.clock.nowMs()),
  )
  if (options.output === 'table') {
    output.note(
      held.length === 0
        ? `no proxy of the mesh has the identity ${spiffeId} now`
        : `${held.join(', ')} must join again with a new token; \`heddle up\` sees to that by itself`,
    )
  }
  return entry === undefined || entry.waitingFor.length > 0 ? 1 : 0
}

function entryOf({ revocations }: AuthorityStatus, spiffeId: string): RevocationStatus | undefined {
  return revocations.find((one) => one.spiffeId === spiffeId)
}

/** Throws CliError when no proxy, or several, are called that. */
function spiffeIdOf(mesh: MeshState, wanted: string, trustDomain: string): string {
  const { kind, namespace, name } = findProxy(mesh, wanted)
  if (kind === 'gateway') return formatSpiffeId({ trustDomain, namespace, serviceAccount: gatewayServiceAccount(name) })
  return mesh.workloads.find((one) => one.namespace === namespace && one.name === name)?.spiffeId ?? ''
}

function holders(mesh: MeshState, spiffeId: string, trustDomain: string): string[] {
  const gateways = mesh.gateways.filter(
    ({ namespace, name }) =>
      formatSpiffeId({ trustDomain, namespace, serviceAccount: gatewayServiceAccount(name) }) === spiffeId,
  )
  const workloads = mesh.workloads.filter((one) => one.spiffeId === spiffeId)
  return [...new Set([...workloads, ...gateways].map(({ namespace, name }) => `${namespace}/${name}`))]
}

export function revocationsTable(revocations: readonly RevocationStatus[], nowMs: number): TableView {
  return {
    columns: [
      { header: 'REVOKED' },
      { header: 'AT' },
      { header: 'REASON' },
      { header: 'NOT YET REFUSED BY' },
      { header: 'KEPT FOR', align: 'right' },
    ],
    rows: revocations.map(({ spiffeId, revokedAtMs, reason, waitingFor, endsAtMs }) => [
      spiffeId,
      formatTime(revokedAtMs),
      reason,
      waitingFor.join(', '),
      formatAge(Math.max(0, endsAtMs - nowMs)),
    ]),
    empty: 'nothing is revoked',
  }
}
