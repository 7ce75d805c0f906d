// `heddle proxy-status`: which revision each proxy runs, and what it refused.
import type { ProxyStatus } from '../../contracts/control-api.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge } from '../format.ts'
import type { ControlPlaneClient } from '../mesh/control-plane-client.ts'
import { connect } from '../mesh/running-mesh.ts'
import type { TableView } from '../output.ts'
import { giveAnswer, type WatchOptions } from '../traffic/watched-answer.ts'

export async function proxyStatus(context: CliContext, options: MeshOptions & WatchOptions): Promise<ExitCode> {
  const client = connect(context, options)
  try {
    await giveAnswer(context, options, {
      ask: () => client.proxies(),
      forMachines: (status) => status,
      forPeople: (status) => statusTable(status, context.host.clock.nowMs()),
    })
  } finally {
    client.close()
  }
  return 0
}

function statusTable(
  { revision, proxies }: Awaited<ReturnType<ControlPlaneClient['proxies']>>,
  nowMs: number,
): TableView {
  return {
    columns: [
      { header: 'PROXY' },
      { header: 'CONNECTED' },
      { header: 'SINCE', align: 'right' },
      { header: 'REVISION', align: 'right' },
      { header: 'ACKED', align: 'right' },
      { header: 'LAST NACK' },
    ],
    rows: proxies.map((proxy) => [
      proxy.id,
      proxy.connected ? 'yes' : 'no',
      formatAge(nowMs - proxy.sinceMs),
      `${proxy.ackedRevision ?? '-'}${proxy.ackedRevision === revision ? '' : ` of ${revision}`}`,
      proxy.ackedAtMs === undefined ? '-' : formatAge(nowMs - proxy.ackedAtMs),
      describeNack(proxy, nowMs),
    ]),
    empty: 'no proxy has connected yet',
  }
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
