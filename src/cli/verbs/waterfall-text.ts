// One request as lines of text: its hops with bars of their time, and below each what was decided, why, and where that is written.
import type { AttemptRecord, DecisionRecord, SourceLocation } from '../../contracts/decision-record.ts'
import type { RequestFault, RequestHop, RequestSummary, RequestView } from '../../contracts/read-api.ts'
import { formatLatency, formatTime } from '../format.ts'
import type { Output } from '../output.ts'

type Style = Pick<Output, 'colors' | 'isUnicode' | 'text'>

const defaultWidth = 100
const barWidth = 24

/** `width`: of the terminal; bars are left out where it is narrow. */
export function waterfallText(request: RequestView, style: Style, width: number = defaultWidth): string {
  const { colors, text } = styled(style)
  const { status, durationMs, startMs, requestIds, traceIds, fault, hops } = request
  const head = [
    colors.bold(text(askedFor(request))),
    coloured(style, status, status === 0 ? 'no answer' : String(status)),
    `in ${formatLatency(durationMs)}, ${hops} ${hops === 1 ? 'hop' : 'hops'}, ${formatTime(Math.trunc(startMs))}`,
  ]
  const ids = [...requestIds.map((id) => `request ${id}`), ...traceIds.map((id) => `trace ${id}`)]
  const lines = [head.join('  '), ...ids.slice(0, 6).map((id) => colors.dim(text(id)))]
  if (fault !== undefined) lines.push(colors.red(text(faultText(fault, style.isUnicode))))
  lines.push('')
  for (const hop of request.waterfall) lines.push(...hopLines(hop, request, style, width))
  return `${lines.join('\n')}\n`
}

/** Sidecars are asked by address: the name of the service says more. */
export function askedFor({ method, service, authority, path }: RequestSummary): string {
  return `${method} ${service === '' ? authority : service.replace(/\.svc\.cluster\.local$/, '')}${path}`
}

/** "default/reviews-v1: UF: connection refused (mesh.yaml:12)". */
export function faultText({ proxy, reason, source }: RequestFault, isUnicode: boolean): string {
  return `${proxy}${isUnicode ? ' – ' : ': '}${reason}${source === undefined ? '' : ` (${source})`}`
}

function hopLines(hop: RequestHop, { durationMs }: RequestView, style: Style, width: number): string[] {
  const { colors, text } = styled(style)
  const { record, depth, offsetMs, fault } = hop
  const { response, source, destination, reporter } = record
  const arrow = style.isUnicode ? '→' : '->'
  const from = source.workload ?? shortPrincipal(source.principal) ?? source.address ?? 'outside'
  const to = destination.workload ?? destination.service ?? destination.address ?? '-'
  const flags = response.flags.length === 0 ? '' : ` ${colors.yellow(response.flags.join(','))}`
  const status = coloured(style, response.status, answerOf(record))
  const indent = '  '.repeat(depth)
  const name =
    reporter === 'destination'
      ? `${colors.bold(text(to))} got it ${record.mtls ? 'by mTLS' : colors.yellow('in plaintext')}`
      : `${text(from)} ${arrow} ${colors.bold(text(to))}`
  const times = `${formatLatency(offsetMs).padStart(8)} ${formatLatency(record.durationMs).padStart(8)}`
  const drawn = width >= 80 ? ` ${barOf(offsetMs, record.durationMs, durationMs, style)}` : ''
  const below = ' '.repeat(17 + (drawn === '' ? 0 : barWidth + 1) + 2)
  return [
    `${times}${drawn}  ${indent}${name} ${status}${flags}`,
    ...detailsOf(record, fault).map((line) => `${below}${indent}  ${colors.dim(text(line))}`),
  ]
}

function detailsOf(record: DecisionRecord, fault: RequestFault | undefined): string[] {
  const { route, routeSource, attempts, authorization, rateLimit, filters = [], split, reporter } = record
  const decided = [
    ...(route !== undefined && reporter !== 'destination' ? [`route ${route}${writtenAt(routeSource)}`] : []),
    ...(split === undefined ? [] : [`split ${split.drawn} of ${split.total}: ${split.cluster}`]),
  ]
  return [
    ...(fault === undefined ? [] : [`why: ${fault.reason}${fault.source === undefined ? '' : ` (${fault.source})`}`]),
    ...(decided.length === 0 ? [] : [decided.join(', ')]),
    ...(authorization?.allowed === true && authorization.policy !== undefined
      ? [`allowed by ${authorization.policy}${writtenAt(authorization.source)}`]
      : []),
    ...(rateLimit?.enforced === false ? [`beyond the rate limit ${rateLimit.limit}, which is not enforced`] : []),
    ...filters.map(({ filter, phase, did }) => `${filter} ${did} the ${phase.replace('_', ' ')}`),
    ...(attempts.length > 1 || attempts.some(({ outcome }) => outcome !== 'response') ? attempts.map(attemptText) : []),
  ]
}

function attemptText(attempt: AttemptRecord, index: number): string {
  const { endpoint, workload, outcome, status, startMs = 0, durationMs, retriedBecause } = attempt
  const came = outcome === 'response' ? String(status ?? '') : outcome
  const where = workload === undefined ? endpoint : `${workload} at ${endpoint}`
  const again = retriedBecause === undefined ? '' : `, tried again because of ${retriedBecause}`
  return `attempt ${index + 1} after ${formatLatency(startMs)}: ${where}: ${came} in ${formatLatency(durationMs)}${again}`
}

function answerOf({ response: { status, grpcStatus } }: DecisionRecord): string {
  const answer = status === 0 ? 'no answer' : String(status)
  return grpcStatus === undefined ? answer : `${answer} gRPC ${grpcStatus}`
}

function writtenAt(place: SourceLocation | undefined): string {
  return place?.file === undefined ? '' : ` (${place.file}:${place.line})`
}

function shortPrincipal(principal: string | undefined): string | undefined {
  return principal?.replace(/^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\//, '$1/')
}

function barOf(offsetMs: number, durationMs: number, wholeMs: number, { isUnicode, colors }: Style): string {
  const scale = barWidth / (wholeMs || 1)
  const before = Math.max(0, Math.min(barWidth - 1, Math.floor(offsetMs * scale)))
  const length = Math.max(1, Math.min(barWidth - before, Math.round(durationMs * scale)))
  const rest = ' '.repeat(barWidth - before - length)
  return `${' '.repeat(before)}${colors.cyan((isUnicode ? '▇' : '#').repeat(length))}${rest}`
}

function coloured({ colors }: Style, status: number, text: string): string {
  if (status === 0 || status >= 500) return colors.red(text)
  return status >= 400 ? colors.yellow(text) : colors.green(text)
}

function styled(style: Style): { readonly colors: Style['colors']; readonly text: Style['text'] } {
  return { colors: style.colors, text: (one) => style.text(one) }
}
