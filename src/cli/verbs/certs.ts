// `heddle certs`: the certificates that the proxies use right now, from their own admin APIs, and those that signed them.
import { errorMessage } from '../../core/errors.ts'
import type { CertificateReport } from '../../proxy/admin/certificate-report.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge, formatTime } from '../format.ts'
import { connect, openProxies } from '../mesh/running-mesh.ts'
import { SidecarClient, proxyEndpoints } from '../mesh/sidecar-client.ts'
import { authorityTable, describeRotation } from './certs-authority.ts'

/** Exits with 1 when a proxy shows no certificate or one that has expired. */
export async function certs(context: CliContext, options: MeshOptions): Promise<ExitCode> {
  const mesh = await openProxies(context, options)
  const client = new SidecarClient(mesh.adminToken)
  const nowMs = context.host.clock.nowMs()
  const entries = await Promise.all(
    proxyEndpoints(mesh).map(async (proxy) => {
      const name = `${proxy.namespace}/${proxy.name}`
      try {
        const [certificate] = await client.admin<CertificateReport[]>(proxy, '/certs')
        return certificate === undefined
          ? { proxy: name, error: 'no certificate yet' }
          : { proxy: name, ...certificate }
      } catch (error) {
        return { proxy: name, error: errorMessage(error) }
      }
    }),
  )
  client.close()
  await context.output.answer(options.output, entries, () => ({
    columns: [
      { header: 'PROXY' },
      { header: 'SPIFFE ID' },
      { header: 'SERIAL' },
      { header: 'NOT AFTER' },
      { header: 'REMAINING', align: 'right' },
    ],
    rows: entries.map((entry) => {
      if ('error' in entry) return [entry.proxy, '', '', entry.error, '']
      const leftMs = entry.notAfterMs - nowMs
      return [
        entry.proxy,
        entry.spiffeId,
        entry.serialNumber,
        formatTime(entry.notAfterMs),
        leftMs > 0 ? formatAge(leftMs) : 'expired',
      ]
    }),
    empty: 'no proxies',
  }))
  if (options.output === 'table') await showAuthority(context, options, nowMs)
  return entries.every((entry) => !('error' in entry) && entry.notAfterMs > nowMs) ? 0 : 1
}

/** The proxies' certificates can be seen without the control plane. */
async function showAuthority(context: CliContext, options: MeshOptions, nowMs: number): Promise<void> {
  const { output } = context
  const client = connect(context, options)
  try {
    const status = await client.authority()
    output.line()
    output.table(authorityTable(status, nowMs))
    if (status.rotation !== undefined) output.line(describeRotation(status, nowMs))
  } catch (error) {
    output.note(errorMessage(error))
  } finally {
    client.close()
  }
}
