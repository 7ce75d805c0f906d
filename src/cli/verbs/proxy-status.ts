// `heddle proxy-status`: which revision each proxy runs, and what it refused.
import type { ProxyStatus } from '../../contracts/control-api.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge } from '../format.ts'
import { connect } from '../mesh/running-mesh.ts'

export async function proxyStatus(context: CliContext, options: MeshOptions): Promise<ExitCode> {
  const status = await connect(context, options).proxies()
  const nowMs = context.host.clock.nowMs()
  await context.output.answer(options.output, status, () => ({
    columns: [
      { header: 'PROXY' },
      { header: 'CONNECTED' },
      { header: 'SINCE', align: 'right' },
      { header: 'REVISION', align: 'right' },
      { header: 'ACKED', align: 'right' },
      { header: 'LAST NACK' },
    ],
    rows: status.proxies.map((proxy) => [
      proxy.id,
      proxy.connected ? 'yes' : 'no',
      formatAge(nowMs - proxy.sinceMs),
      `${proxy.ackedRevision ?? '-'}${proxy.ackedRevision === status.revision ? '' : ` of ${status.revision}`}`,
      proxy.ackedAtMs === undefined ? '-' : formatAge(nowMs - proxy.ackedAtMs),
      describeNack(proxy, nowMs),
    ]),
    empty: 'no proxy has connected yet',
  }))
  return 0
}

function describeNack({ lastNack }: ProxyStatus, nowMs: number): string {
  if (lastNack === undefined) return ''
  const { typeUrl, message, atMs, current } = lastNack
  return `${current ? '' : 'resolved, '}${formatAge(nowMs - atMs)} ago, ${shortType(typeUrl)}: ${message}`
}

/** "type.googleapis.com/envoy.config.cluster.v3.Cluster" → "Cluster". */
export function shortType(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('.') + 1)
}
