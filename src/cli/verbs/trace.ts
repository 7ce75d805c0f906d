// `heddle trace`: requests that the control plane has kept, and one of them hop by hop.
import type { RequestSummary } from '../../contracts/read-api.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge, formatLatency } from '../format.ts'
import { connect } from '../mesh/running-mesh.ts'
import type { Output, TableView } from '../output.ts'
import { askedFor, faultText, waterfallText } from './waterfall-text.ts'

export interface TraceOptions extends MeshOptions {
  readonly service?: string
  readonly workload?: string
  readonly status?: string
  readonly flag?: string
  /** Milliseconds, as `since`. */
  readonly minDuration?: number
  readonly since?: number
  readonly count: number
}

export async function trace(context: CliContext, id: string | undefined, options: TraceOptions): Promise<ExitCode> {
  const { output, host } = context
  const client = connect(context, options)
  try {
    if (id !== undefined) {
      const request = await client.request(id)
      if (request === undefined)
        throw new CliError(`no request ${JSON.stringify(id)} is known, or not any more`, {
          hint: 'kept are those that fail, take a second or are sampled, a second after they end: `heddle trace` lists them',
          exitCode: 1,
        })
      if (options.output === 'table') output.write(waterfallText(request, output, host.stdout.columns))
      else await output.structured(options.output, request)
      return 0
    }
    const nowMs = host.clock.nowMs()
    const list = await client.requests(queryOf(options, nowMs))
    await output.answer(options.output, list, () => listTable(list.requests, nowMs, output))
    return 0
  } finally {
    client.close()
  }
}

function queryOf(options: TraceOptions, nowMs: number): Readonly<Record<string, string>> {
  const { service, workload, status, flag, minDuration, since, count } = options
  return {
    most: String(count),
    ...(service !== undefined && { service: qualified(service) }),
    ...(workload !== undefined && { workload: qualified(workload) }),
    ...(status !== undefined && { status }),
    ...(flag !== undefined && { flag: flag.toUpperCase() }),
    ...(minDuration !== undefined && { minDurationMs: String(minDuration) }),
    ...(since !== undefined && { sinceMs: String(Math.max(0, nowMs - since)) }),
  }
}

function qualified(name: string): string {
  return name.includes('/') ? name : `default/${name}`
}

function listTable(requests: readonly RequestSummary[], nowMs: number, output: Output): TableView {
  return {
    columns: [
      { header: 'AGO', align: 'right' },
      { header: 'FROM' },
      { header: 'REQUEST' },
      { header: 'STATUS' },
      { header: 'TOOK', align: 'right' },
      { header: 'HOPS', align: 'right', spare: 1 },
      { header: 'WHAT WENT WRONG' },
      { header: 'ID' },
    ],
    rows: requests.map((request) => [
      formatAge(nowMs - request.startMs),
      request.source,
      askedFor(request),
      [statusOf(request), ...request.flags].join(' '),
      formatLatency(request.durationMs),
      String(request.hops),
      request.fault === undefined ? '' : faultText(request.fault, output.isUnicode),
      request.id,
    ]),
    empty: 'no request has failed, been slow or been sampled, as far as that is known',
    styleCell: (text, row, column, colors) => {
      const { status = 0 } = requests[row] ?? {}
      return column === 3 && (status === 0 || status >= 500) ? colors.red(text) : text
    },
  }
}

function statusOf({ status, grpcStatus }: RequestSummary): string {
  const answer = status === 0 ? 'none' : String(status)
  return grpcStatus === undefined ? answer : `${answer} gRPC ${grpcStatus}`
}
