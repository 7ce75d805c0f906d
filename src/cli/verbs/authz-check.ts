// `heddle authz check`: whether a caller may make a request, by which rule, and where that is written. Of a running mesh the proxy's own
// rules are asked, of files those that it would get. What leaves the mesh is asked of the proxy of the caller.
import type { AuthorizationRecord, SourceLocation } from '../../contracts/decision-record.ts'
import type { VerifiedToken } from '../../contracts/http-filter.ts'
import { hostPort } from '../../contracts/xds/names.ts'
import type { CheckedRequest } from '../../insight/authorization-check.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { worldOfFiles, worldOfMesh } from './authz-world.ts'
import type { AuthzTarget, AuthzWorkload, AuthzWorld } from './authz-world.ts'

export interface AuthzCheckOptions extends MeshOptions {
  /** Workload, service account or SPIFFE ID; absent: a caller without a certificate. */
  readonly from?: string
  readonly fromAddress: string
  /** Workload or service account; else an ExternalService, one of its hosts, or any host. */
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

interface Verdict extends AuthorizationRecord {
  /** "namespace/name", or the host outside. */
  readonly workload: string
  readonly port: number
}

/** Exits with 1 when any of those meant would refuse. */
export async function authzCheck(context: CliContext, options: AuthzCheckOptions): Promise<ExitCode> {
  const world = await (options.file === undefined ? worldOfMesh(context, options) : worldOfFiles(context, options.file))
  const known = world.workloads.map(({ namespace, name }) => `${namespace}/${name}`)
  const meant = world.workloads.filter(fitsName(options.to))
  const ways = meant.length === 0 ? waysOut(world, options) : []
  if (meant.length === 0 && ways.length === 0)
    throw new CliError(`no workload and no ExternalService is called ${options.to}`, {
      hint: `there are: ${[...known, ...world.outside.map(({ namespace, name }) => `${namespace}/${name}`)].join(', ')}`,
    })
  const [caller] = options.from === undefined ? [] : world.workloads.filter(fitsName(options.from))
  const verdicts =
    ways.length > 0
      ? await outboundVerdicts(world, options, caller, ways, known)
      : await inboundVerdicts(world, options, meant, principalOf(options.from, caller?.spiffeId, known))
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

async function inboundVerdicts(
  world: AuthzWorld,
  options: AuthzCheckOptions,
  meant: readonly AuthzWorkload[],
  principal: string | undefined,
): Promise<Verdict[]> {
  const { checkAuthorization } = await import('../../insight/authorization-check.ts')
  const targets: AuthzTarget[] = []
  for (const workload of meant) targets.push(...(await world.targets(workload)))
  const asked = requestOf(options, options.tcp, options.to)
  return chosen(targets, options).map(({ workload, port, listener }) => ({
    workload,
    port,
    ...checkAuthorization(listener, { ...asked, ...(principal === undefined ? {} : { principal }) }),
  }))
}

function requestOf(options: AuthzCheckOptions, bytes: boolean, host: string): CheckedRequest {
  const token = tokenOf(options.claim)
  return {
    address: options.fromAddress,
    host: options.host ?? host,
    path: options.path,
    headers: Object.fromEntries(options.header.map((text) => pairOf(text, '--header'))),
    ...(bytes ? {} : { method: options.method }),
    ...(token === undefined ? {} : { token }),
  }
}

/** A port of a host outside the mesh. */
interface WayOut {
  readonly host: string
  readonly port: number
  /** Absent: nobody has declared it. */
  readonly protocol?: string
}

const opaqueProtocols: readonly string[] = ['tcp', 'tls', 'https']

function waysOut({ outside }: AuthzWorld, { to, port: wantedPort }: AuthzCheckOptions): WayOut[] {
  const [, host = to, portOfHost] = /^\[?([^[\]]+?)\]?(?::(\d+))?$/.exec(to) ?? []
  const port = wantedPort ?? (portOfHost === undefined ? undefined : Number(portOfHost))
  const declared = outside.flatMap(({ namespace, name, hosts, ports }) => {
    const named = [name, `${namespace}/${name}`].includes(to)
    const meant = named ? hosts : hosts.filter((one) => one === host)
    return meant.flatMap((one) => ports.map((each) => ({ host: one, ...each })))
  })
  const fitting = declared.filter((one) => port === undefined || one.port === port)
  if (fitting.length > 0) return fitting
  return declared.length > 0 || (/[.:]/.test(to) && !to.includes('/')) ? [{ host, port: port ?? 80 }] : []
}

async function outboundVerdicts(
  world: AuthzWorld,
  options: AuthzCheckOptions,
  caller: AuthzWorkload | undefined,
  ways: readonly WayOut[],
  known: readonly string[],
): Promise<Verdict[]> {
  if (caller === undefined)
    throw new CliError(`${options.to} is outside the mesh: --from must be one of its workloads`, {
      hint: `there are: ${known.join(', ')}`,
    })
  const { checkEgress, checkUnregistered, findService } = await import('../../insight/egress-check.ts')
  const declared = ways.filter(({ protocol }) => protocol !== undefined)
  const side = await world.outbound(
    caller,
    declared.map(({ host, port }) => hostPort(host, port)),
  )
  return ways.flatMap(({ host, port, protocol }): Verdict[] => {
    if (protocol === undefined) {
      const service = findService(side.listener, { host, port }, world.services)
      if (service === undefined) return [{ workload: host, port, ...checkUnregistered(side.listener) }]
      throw new CliError(`${service} is a Service of the mesh`, { hint: 'name a workload behind it with --to' })
    }
    const opaque = opaqueProtocols.includes(protocol)
    if (options.tcp && !opaque)
      throw new CliError(`${hostPort(host, port)} carries ${protocol} alone`, { hint: 'leave out --tcp' })
    const asked = requestOf(options, opaque, host)
    return checkEgress(side.listener, side.routes(hostPort(host, port)), asked).map(({ destination, ...verdict }) => {
      const colon = destination.lastIndexOf(':')
      return { workload: destination.slice(0, colon), port: Number(destination.slice(colon + 1)), ...verdict }
    })
  })
}

function placeOf({ source }: { readonly source?: SourceLocation | undefined }): string {
  return source?.file === undefined ? '' : `${source.file}:${source.line}`
}

function dryRunOf({ allowed, policy }: NonNullable<AuthorizationRecord['shadow']>): string {
  return `in force, the dry run would ${allowed ? 'allow' : 'refuse'} it${policy === undefined ? '' : ` by ${policy}`}`
}

/** "reviews", "shop/reviews", or a service account of those names. */
function fitsName(wanted: string): (one: AuthzWorkload) => boolean {
  return ({ namespace, name, spiffeId }) => {
    const account = spiffeId.slice(spiffeId.lastIndexOf('/') + 1)
    return [name, `${namespace}/${name}`, account, `${namespace}/${account}`, spiffeId].includes(wanted)
  }
}

function chosen(targets: readonly AuthzTarget[], { to, port }: AuthzCheckOptions): readonly AuthzTarget[] {
  const fitting = targets.filter((target) => port === undefined || target.port === port)
  if (fitting.length > 0) return fitting
  if (targets.length === 0) throw new CliError(`${to} has no port that could be called`)
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
