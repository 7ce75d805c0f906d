// `heddle trace`: requests that the control plane has kept, and one of them hop by hop.
import type { RequestSummary, RequestView } from '../../contracts/read-api.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge, formatLatency } from '../format.ts'
import type { ControlPlaneClient } from '../mesh/control-plane-client.ts'
import { connect } from '../mesh/running-mesh.ts'
import type { Output, TableView } from '../output.ts'
import { giveAnswer, type WatchOptions } from '../traffic/watched-answer.ts'
import { askedFor, faultText, waterfallText } from './waterfall-text.ts'

export interface TraceOptions extends MeshOptions, WatchOptions {
  readonly service?: string
  readonly workload?: string
  readonly status?: string
  readonly flag?: string
  /** Milliseconds, as `since`. */
  readonly minDuration?: number
  readonly since?: number
  readonly count: number
}

const shortestBeginning = 4
const mostListed = 1_000

export async function trace(context: CliContext, id: string | undefined, options: TraceOptions): Promise<ExitCode> {
  const { output, host } = context
  const client = connect(context, options)
  try {
    if (id !== undefined) {
      const request = (await client.request(id)) ?? (await byBeginning(client, id))
      if (request === undefined)
        throw new CliError(`no request ${JSON.stringify(id)} is known, or not any more`, {
          hint: 'kept are those that fail, are repeated, take a second or are sampled, a second after they end: `heddle trace` lists them',
          exitCode: 1,
        })
      if (options.output === 'table') output.write(waterfallText(request, output, host.stdout.columns))
      else await output.structured(options.output, request)
      return 0
    }
    await giveAnswer(context, options, {
      ask: () => client.requests(queryOf(options, host.clock.nowMs())),
      forMachines: (list) => list,
      forPeople: ({ requests }) => listTable(requests, host.clock.nowMs(), output),
    })
    return 0
  } finally {
    client.close()
  }
}

/** As the list shows an id where there is no room for all of it. Throws CliError where several begin so. */
async function byBeginning(client: ControlPlaneClient, text: string): Promise<RequestView | undefined> {
  const beginning = text.replace(/[…~]$/, '')
  if (beginning.length < shortestBeginning) return undefined
  const { requests } = await client.requests({ most: String(mostListed) })
  const [first, second] = requests.filter(({ id }) => id.startsWith(beginning))
  if (second !== undefined)
    throw new CliError(`several requests begin with ${JSON.stringify(beginning)}`, { hint: 'give more of the id' })
  return first && client.request(first.id)
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
