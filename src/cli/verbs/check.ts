// `heddle check`: everything that should be true of a healthy mesh, each with its answer. Exits with 1 when one is not.
import type { MeshState } from '../../contracts/mesh-state.ts'
import { formatProblem } from '../../contracts/problem.ts'
import { errorMessage } from '../../core/errors.ts'
import type { CertificateReport } from '../../proxy/admin/certificate-report.ts'
import type { ListenerReport } from '../../proxy/admin/listener-report.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge } from '../format.ts'
import { ControlPlaneClient } from '../mesh/control-plane-client.ts'
import { openProxies } from '../mesh/running-mesh.ts'
import { SidecarClient, proxyEndpoints, type ProxyEndpoint } from '../mesh/sidecar-client.ts'
import { giveAnswer, type WatchOptions } from '../traffic/watched-answer.ts'
import { checkFederation } from './certs-bundle.ts'
import { checkAuthority } from './check-authority.ts'
import { shortType } from './proxy-status.ts'

export interface Finding {
  readonly check: string
  readonly ok: boolean
  /** It is true now, and will not stay so. */
  readonly warning?: boolean
  readonly detail: string
}

export async function check(context: CliContext, options: MeshOptions & WatchOptions): Promise<ExitCode> {
  const known = await openProxies(context, options)
  const controlPlane = new ControlPlaneClient(known.adminUrl, known.adminToken)
  const sidecars = new SidecarClient(known.adminToken)
  const ask = async (): Promise<readonly Finding[]> => {
    const nowMs = context.host.clock.nowMs()
    return [...(await checkControlPlane(controlPlane, nowMs)), ...(await checkProxies(known, sidecars, nowMs))]
  }
  try {
    const findings = await giveAnswer(context, options, {
      ask,
      forMachines: (found) => ({ ok: areOk(found), findings: found }),
      forPeople: (found) => ({
        columns: [{ header: 'CHECK' }, { header: 'OK' }, { header: 'DETAIL' }],
        rows: found.map((finding) => [finding.check, answerOf(finding), finding.detail]),
        empty: '',
      }),
    })
    return areOk(findings) ? 0 : 1
  } finally {
    controlPlane.close()
    sidecars.close()
  }
}

function areOk(findings: readonly Finding[]): boolean {
  return findings.every(({ ok }) => ok)
}

function answerOf({ ok, warning }: Finding): string {
  if (!ok) return 'no'
  return warning === true ? 'warning' : 'yes'
}

async function checkControlPlane(client: ControlPlaneClient, nowMs: number): Promise<Finding[]> {
  let mesh: MeshState
  try {
    mesh = await client.mesh()
  } catch (error) {
    return [{ check: 'control plane answers', ok: false, detail: errorMessage(error) }]
  }
  const { revision, proxies } = await client.proxies()
  // the authority has a check of its own
  const problems = (await client.problems()).filter(({ code }) => code !== 'HDL015')
  const { certificates, federation } = await client.authority()
  const expected = proxyEndpoints(mesh).map(({ kind, namespace, name }) => `${kind}~${namespace}~${name}`)
  const byId = new Map(proxies.map((proxy) => [proxy.id, proxy]))
  const away = expected.filter((id) => byId.get(id)?.connected !== true)
  const behind = expected.filter((id) => !away.includes(id) && byId.get(id)?.ackedRevision !== revision)
  const nacks = proxies.flatMap(({ id, connected, lastNack }) =>
    connected && lastNack?.current === true
      ? [`${id} refuses ${shortType(lastNack.typeUrl)}: ${lastNack.message}`]
      : [],
  )
  const notReady = mesh.workloads.filter(({ ready }) => !ready).map(({ namespace, name }) => `${namespace}/${name}`)
  return [
    { check: 'control plane answers', ok: true, detail: `${mesh.adminUrl}, revision ${revision}` },
    checked('proxies connected', away, `${expected.length} of ${expected.length}`),
    checked('proxies on the newest revision', behind, `revision ${revision}`),
    checked('no configuration refused', nacks, 'none'),
    checked('workloads ready', notReady, `${mesh.workloads.length} of ${mesh.workloads.length}`),
    checked('documents and workloads without problems', problems.map(formatProblem), 'none'),
    checkAuthority(certificates, nowMs),
    ...(federation === undefined ? [] : [checkFederation(federation)]),
  ]
}

/** Below a quarter of its life the renewal at half-life has failed more than once. */
const worryingShare = 0.25

async function checkProxies(mesh: MeshState, client: SidecarClient, nowMs: number): Promise<Finding[]> {
  const silent: string[] = []
  const expiring: string[] = []
  const closed: string[] = []
  let soonestMs = Infinity
  const ask = async (proxy: ProxyEndpoint): Promise<void> => {
    const name = `${proxy.namespace}/${proxy.name}`
    try {
      const listeners = await client.admin<ListenerReport[]>(proxy, '/listeners')
      for (const { address, state, error } of listeners) {
        if (state === 'failed') closed.push(`${name} cannot listen on ${address}: ${error}`)
      }
      const [certificate] = await client.admin<CertificateReport[]>(proxy, '/certs')
      if (certificate === undefined) expiring.push(`${name} has none yet`)
      else {
        const leftMs = certificate.notAfterMs - nowMs
        soonestMs = Math.min(soonestMs, leftMs)
        const lifetimeMs = certificate.notAfterMs - certificate.notBeforeMs
        if (leftMs <= 0) expiring.push(`${name} expired ${formatAge(-leftMs)} ago`)
        else if (leftMs < lifetimeMs * worryingShare) expiring.push(`${name} expires in ${formatAge(leftMs)}`)
      }
    } catch (error) {
      silent.push(`${name}: ${errorMessage(error)}`)
    }
  }
  await Promise.all(proxyEndpoints(mesh).map(ask))
  const soonest = soonestMs === Infinity ? 'none in use' : `the first expires in ${formatAge(soonestMs)}`
  return [
    checked('proxies answer', silent, 'all'),
    checked('listeners open', closed, 'all'),
    checked('certificates far from expiry', expiring, soonest),
  ]
}

function checked(what: string, bad: readonly string[], good: string): Finding {
  return { check: what, ok: bad.length === 0, detail: bad.length === 0 ? good : bad.join('; ') }
}
