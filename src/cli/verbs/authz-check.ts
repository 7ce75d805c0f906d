// `heddle authz check`: whether a caller may make a request, by which rule, and where that is written. Of a running mesh the proxy's own
// rules are asked, of files those that it would get.
import type { AuthorizationRecord, SourceLocation } from '../../contracts/decision-record.ts'
import type { VerifiedToken } from '../../contracts/http-filter.ts'
import { formatProblem } from '../../contracts/problem.ts'
import { inboundName } from '../../contracts/xds/names.ts'
import type { ConfigDump } from '../../proxy/admin/config-dump.ts'
import type { ListenerConfig } from '../../proxy/runtime/runtime-config.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { openProxies } from '../mesh/running-mesh.ts'
import { SidecarClient, proxyEndpoints } from '../mesh/sidecar-client.ts'
import { readDocumentFiles } from './read-documents.ts'

export interface AuthzCheckOptions extends MeshOptions {
  /** Workload, service account or SPIFFE ID; absent: a caller without a certificate. */
  readonly from?: string
  readonly fromAddress: string
  readonly to: string
  readonly port?: number
  /** Absent with `tcp`. */
  readonly method: string
  readonly path: string
  readonly host?: string
  readonly header: readonly string[]
  readonly claim: readonly string[]
  readonly tcp: boolean
  readonly file?: readonly string[]
}

/** A workload that is asked, on one of its ports. */
interface Target {
  readonly workload: string
  readonly port: number
  readonly listener: ListenerConfig
}

interface Facts {
  readonly targets: readonly Target[]
  readonly principal: string | undefined
}

/** Exits with 1 when any of the workloads meant would refuse. */
export async function authzCheck(context: CliContext, options: AuthzCheckOptions): Promise<ExitCode> {
  const { checkAuthorization } = await import('../../insight/authorization-check.ts')
  const { targets, principal } = await (options.file === undefined
    ? factsOfMesh(context, options)
    : factsOfFiles(context, options, options.file))
  const token = tokenOf(options.claim)
  const verdicts = targets.map(({ workload, port, listener }) => ({
    workload,
    port,
    ...checkAuthorization(listener, {
      address: options.fromAddress,
      host: options.host ?? options.to,
      path: options.path,
      headers: Object.fromEntries(options.header.map((text) => pairOf(text, '--header'))),
      ...(options.tcp ? {} : { method: options.method }),
      ...(principal === undefined ? {} : { principal }),
      ...(token === undefined ? {} : { token }),
    }),
  }))
  await context.output.answer(options.output, verdicts, () => ({
    columns: [{ header: 'TO' }, { header: 'VERDICT' }, { header: 'RULE' }, { header: 'WRITTEN AT' }, { header: 'WHY' }],
    rows: verdicts.map((one) => [
      `${one.workload}:${one.port}`,
      one.allowed ? 'allowed' : 'refused',
      one.policy ?? '',
      placeOf(one),
      one.shadow === undefined ? one.reason : `${one.reason}; ${dryRunOf(one.shadow)}`,
    ]),
    empty: 'no workload',
  }))
  return verdicts.every(({ allowed }) => allowed) ? 0 : 1
}

function placeOf({ source }: { readonly source: SourceLocation | undefined }): string {
  return source?.file === undefined ? '' : `${source.file}:${source.line}`
}

function dryRunOf({ allowed, policy }: NonNullable<AuthorizationRecord['shadow']>): string {
  return `in force, the dry run would ${allowed ? 'allow' : 'refuse'} it${policy === undefined ? '' : ` by ${policy}`}`
}

async function factsOfMesh(context: CliContext, options: AuthzCheckOptions): Promise<Facts> {
  const mesh = await openProxies(context, options)
  const meant = mesh.workloads.filter(fitsName(options.to))
  const client = new SidecarClient(mesh.adminToken)
  const targets: Target[] = []
  try {
    for (const proxy of proxyEndpoints(mesh)) {
      const workload = meant.find(({ namespace, name }) => namespace === proxy.namespace && name === proxy.name)
      if (proxy.kind !== 'sidecar' || workload === undefined) continue
      const { listeners } = await client.admin<ConfigDump>(proxy, '/config_dump')
      for (const { port } of workload.inbound) {
        const listener = listeners.find(({ name }) => name === inboundName(port))
        if (listener !== undefined) targets.push({ workload: `${proxy.namespace}/${proxy.name}`, port, listener })
      }
    }
  } finally {
    client.close()
  }
  const [caller] = options.from === undefined ? [] : mesh.workloads.filter(fitsName(options.from))
  const known = mesh.workloads.map(({ namespace, name }) => `${namespace}/${name}`)
  return { targets: chosen(targets, options, known), principal: principalOf(options.from, caller?.spiffeId, known) }
}

async function factsOfFiles(context: CliContext, options: AuthzCheckOptions, paths: readonly string[]): Promise<Facts> {
  const { analyzeFiles } = await import('../../control/configuration.ts')
  const { inboundListenerOf, spiffeIdOf } = await import('../../insight/authorization-check.ts')
  const { snapshot, problems } = analyzeFiles(await readDocumentFiles(context, paths))
  // what is wrong closes only the part that is wrong
  for (const problem of problems) context.output.note(formatProblem(problem))
  const workloads = [...snapshot.workloads.values()].map((workload) => ({
    ...workload,
    spiffeId: spiffeIdOf(snapshot, workload),
  }))
  const targets = workloads.filter(fitsName(options.to)).flatMap((workload) =>
    workload.ports.map(({ port }) => ({
      workload: `${workload.namespace}/${workload.name}`,
      port,
      listener: inboundListenerOf(snapshot, workload, port),
    })),
  )
  const [caller] = options.from === undefined ? [] : workloads.filter(fitsName(options.from))
  const known = workloads.map(({ namespace, name }) => `${namespace}/${name}`)
  return { targets: chosen(targets, options, known), principal: principalOf(options.from, caller?.spiffeId, known) }
}

interface Named {
  readonly namespace: string
  readonly name: string
  readonly spiffeId: string
}

/** "reviews", "shop/reviews", or a service account of those names. */
function fitsName(wanted: string): (one: Named) => boolean {
  return ({ namespace, name, spiffeId }) => {
    const account = spiffeId.slice(spiffeId.lastIndexOf('/') + 1)
    return [name, `${namespace}/${name}`, account, `${namespace}/${account}`, spiffeId].includes(wanted)
  }
}

function chosen(
  targets: readonly Target[],
  { to, port }: AuthzCheckOptions,
  known: readonly string[],
): readonly Target[] {
  const fitting = targets.filter((target) => port === undefined || target.port === port)
  if (fitting.length > 0) return fitting
  if (targets.length === 0)
    throw new CliError(`no workload is called ${to}`, { hint: `there are: ${known.join(', ')}` })
  throw new CliError(`${to} has no port ${port}`, { hint: `it has ${targets.map((target) => target.port).join(', ')}` })
}

function principalOf(
  from: string | undefined,
  found: string | undefined,
  known: readonly string[],
): string | undefined {
  if (from === undefined || found !== undefined) return found
  if (from.startsWith('spiffe://')) return from
  throw new CliError(`no workload is called ${from}`, {
    hint: `there are: ${known.join(', ')}; a caller outside is written as its SPIFFE ID`,
  })
}

/** Claims as a token would have them that request authentication has verified. */
function tokenOf(claims: readonly string[]): VerifiedToken | undefined {
  if (claims.length === 0) return undefined
  const named = Object.fromEntries(claims.map((text) => pairOf(text, '--claim')))
  const audience = named['aud']
  return {
    issuer: named['iss'] ?? '',
    subject: named['sub'] ?? '',
    audiences: audience === undefined ? [] : [audience],
    claims: named,
  }
}

function pairOf(text: string, option: string): [string, string] {
  const at = text.indexOf('=')
  if (at <= 0) throw new CliError(`${option} ${text}: expected name=value`)
  return [text.slice(0, at), text.slice(at + 1)]
}
