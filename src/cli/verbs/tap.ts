// `heddle tap`: requests as they happen, from the proxies' own decision records.
import { closeSync, openSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'

import type { DecisionRecord } from '../../contracts/decision-record.ts'
import { tappedFields } from '../../contracts/record-fields.ts'
import { grpcFaults } from '../../contracts/telemetry/grpc-faults.ts'
import type { TappedRecord } from '../../contracts/telemetry/tap.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import { errorMessage } from '../../core/errors.ts'
import { compileCondition, type RecordCondition } from '../../insight/record-condition.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatLatency, formatTime } from '../format.ts'
import { untilInterrupted } from '../interrupt.ts'
import { openProxies } from '../mesh/running-mesh.ts'
import { SidecarClient, findProxy, proxyEndpoints, type ProxyEndpoint } from '../mesh/sidecar-client.ts'
import { pause } from '../traffic/live-picture.ts'
import { bodyLines } from './tap-bodies.ts'

export interface TapOptions extends MeshOptions {
  readonly namespace?: string
  /** "reviews" or "default/reviews". */
  readonly service?: string
  /** In CEL. */
  readonly where?: string
  /** Gets all that is shown, one JSON object a line. */
  readonly save?: string
  readonly method?: string
  readonly path?: string
  readonly status?: string
  /** Of each body. */
  readonly bodies?: number
  /** End after so many records. */
  readonly count?: number
}

const reconnectMs = 1000

export async function tap(context: CliContext, workload: string | undefined, options: TapOptions): Promise<ExitCode> {
  const where = options.where === undefined ? undefined : compileWhere(options.where)
  const mesh = await openProxies(context, options)
  const proxies = workload === undefined ? proxyEndpoints(mesh) : [findProxy(mesh, workload)]
  if (proxies.length === 0) throw new CliError('the mesh has no proxies', { hint: 'declare a Workload', exitCode: 1 })
  const file = options.save === undefined ? undefined : openFile(context, options.save)
  const client = new SidecarClient(mesh.adminToken)
  const interrupt = untilInterrupted(context)
  const enough = new AbortController()
  const signal = AbortSignal.any([interrupt.signal, enough.signal])
  let left = options.count ?? Infinity
  const show = async (record: TappedRecord): Promise<void> => {
    if (left <= 0 || where?.(record) === false) return
    left--
    if (file !== undefined) writeSync(file, `${JSON.stringify(record)}\n`)
    if (options.output === 'table') {
      for (const line of [describeRecord(context, record), ...bodyLines(context.output, record)])
        context.output.line(line)
    } else await context.output.next(options.output, record)
    if (left <= 0) enough.abort()
  }
  context.output.note(
    `tapping ${proxies.length === 1 ? (workload ?? 'the only proxy') : `${proxies.length} proxies`}; Ctrl-C ends it`,
  )
  await Promise.all(proxies.map((proxy) => followTap(context, client, proxy, queryOf(options), signal, show)))
  client.close()
  if (file !== undefined) closeSync(file)
  interrupt.release()
  return 0
}

/** Throws CliError. */
function compileWhere(text: string): RecordCondition {
  const condition = compileCondition(text, tappedFields)
  if (typeof condition === 'function') return condition
  throw new CliError(`--where, character ${condition.offset + 1}: ${condition.message}`, {
    hint: 'a condition in CEL on fields of a decision record, such as \'response.status >= 500 && "UH" in response.flags\'',
  })
}

/** What proxies themselves leave out, so that a narrow question costs little. */
function queryOf({ method, path, status, namespace, service, bodies }: TapOptions): URLSearchParams {
  const query = new URLSearchParams(bodies === undefined ? {} : { bodies: String(bodies) })
  for (const [name, value] of Object.entries({ method, path, status, namespace })) {
    if (value !== undefined) query.set(name, value)
  }
  const [first = '', second] = service?.split('/') ?? []
  if (first !== '') query.set('service', second === undefined ? hostOf(first, 'default') : hostOf(second, first))
  return query
}

/** A host stays as it is. */
function hostOf(name: string, namespace: string): string {
  return name.includes('.') ? name : serviceHost(name, namespace)
}

/** For this user alone: records tell of people. Throws CliError. */
function openFile({ host }: CliContext, path: string): number {
  try {
    return openSync(resolve(host.workingDirectory, path), 'w', 0o600)
  } catch (error) {
    throw new CliError(`cannot save to ${path}: ${errorMessage(error)}`, { hint: 'check the path given to --save' })
  }
}

/** A proxy that restarts is tapped again. */
async function followTap(
  context: CliContext,
  client: SidecarClient,
  proxy: ProxyEndpoint,
  query: URLSearchParams,
  signal: AbortSignal,
  show: (record: TappedRecord) => Promise<void>,
): Promise<void> {
  let said = false
  while (!signal.aborted) {
    try {
      const stream = await client.tap(proxy, query, signal)
      said = false
      for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
        const value = JSON.parse(line) as TappedRecord | { readonly dropped: number }
        if ('dropped' in value) context.output.note(`${value.dropped} records left out: too many to show`)
        else await show(value)
      }
    } catch (error) {
      if (signal.aborted) return
      if (!said) context.output.note(`${proxy.namespace}/${proxy.name} does not answer: ${errorMessage(error)}`)
      said = true
    }
    await pause(context, reconnectMs, signal)
  }
}

function describeRecord({ output }: CliContext, record: DecisionRecord): string {
  const { colors } = output
  const { request, response, source, destination, attempts } = record
  const { grpcStatus } = response
  const status = String(response.status)
  const from = source.workload ?? source.principal ?? source.address ?? 'outside'
  const to = destination.workload ?? destination.service ?? destination.address ?? '-'
  return [
    // of the day: whoever looks at it knows which
    colors.dim(formatTime(record.startMs).slice('2026-11-27T'.length)),
    record.reporter.padEnd(11),
    `${output.text(from)} ${output.isUnicode ? '→' : '->'} ${output.text(to)}`,
    output.text(request.method),
    output.text(`${request.authority}${request.path}`),
    response.status === 0 || response.status >= 500 ? colors.red(status) : colors.green(status),
    ...(grpcStatus === undefined
      ? []
      : [(grpcFaults.has(grpcStatus) ? colors.red : colors.green)(`gRPC ${grpcStatus}`)]),
    ...(response.flags.length === 0 ? [] : [colors.yellow(response.flags.join(','))]),
    formatLatency(record.durationMs),
    ...(attempts.length > 1 ? [`${attempts.length} attempts`] : []),
    ...(record.authorization?.allowed === false ? [colors.yellow(output.text(record.authorization.reason))] : []),
    // between an application and its own sidecar nothing is encrypted, and nothing has to be
    ...(record.reporter === 'destination' ? [record.mtls ? 'mTLS' : colors.yellow('plaintext')] : []),
  ].join(' ')
}
