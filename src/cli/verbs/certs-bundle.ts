// `heddle certs bundle` and `heddle certs federation`: the trust bundle that other trust domains are given, and those that they gave.
import type { FederatedDomainStatus, FederationStatus } from '../../contracts/control-api.ts'
import { certificatesToPem } from '../../contracts/identity/pem.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { formatAge } from '../format.ts'
import { connect } from '../mesh/running-mesh.ts'
import type { Finding } from './check.ts'

export interface BundleOptions extends MeshOptions {
  readonly format: 'spiffe' | 'pem'
}

export async function certsBundle(context: CliContext, options: BundleOptions): Promise<ExitCode> {
  const client = connect(context, options)
  const bundle = await client.trustBundle()
  client.close()
  if (options.format === 'spiffe') context.output.line(JSON.stringify(bundle, null, 2))
  else {
    const roots = bundle.keys.flatMap(({ x5c = [] }) => x5c.map((base64) => Buffer.from(base64, 'base64')))
    context.output.line(certificatesToPem(roots).trimEnd())
  }
  return 0
}

/** Exits with 1 when a domain has no bundle. */
export async function certsFederation(context: CliContext, options: MeshOptions): Promise<ExitCode> {
  const client = connect(context, options)
  const { federation } = await client.authority()
  client.close()
  const domains = federation?.trustDomains ?? []
  const nowMs = context.host.clock.nowMs()
  await context.output.answer(options.output, domains, () => ({
    columns: [
      { header: 'TRUST DOMAIN' },
      { header: 'FROM' },
      { header: 'ROOTS', align: 'right' },
      { header: 'JWT KEYS', align: 'right' },
      { header: 'SEQUENCE', align: 'right' },
      { header: 'GOT', align: 'right' },
      { header: 'PROBLEM' },
    ],
    rows: domains.map(({ trustDomain, source, roots, jwtKeys, sequence, updatedAtMs, fault }) => [
      trustDomain,
      source,
      String(roots),
      String(jwtKeys),
      sequence === undefined ? '' : String(sequence),
      updatedAtMs === undefined ? '' : `${formatAge(Math.max(0, nowMs - updatedAtMs))} ago`,
      fault ?? '',
    ]),
    empty: 'no other trust domain is trusted',
  }))
  if (options.output === 'table' && federation?.bundleEndpointFault !== undefined)
    context.output.line(`the bundle endpoint of this mesh does not listen: ${federation.bundleEndpointFault}`)
  return domains.every(({ roots }) => roots > 0) ? 0 : 1
}

/** The part of `heddle check` about other trust domains. */
export function checkFederation({ trustDomains, bundleEndpointFault }: FederationStatus): Finding {
  const check = 'trust bundles of other domains'
  const missing = trustDomains.filter(({ roots }) => roots === 0).map((one) => `${one.trustDomain}: ${describe(one)}`)
  if (bundleEndpointFault !== undefined) missing.push(`our own cannot be served: ${bundleEndpointFault}`)
  if (missing.length > 0) return { check, ok: false, detail: missing.join('; ') }
  const old = trustDomains.filter(({ fault }) => fault !== undefined)
  if (old.length > 0) {
    const detail = old.map((one) => `${one.trustDomain} has the last good one: ${describe(one)}`).join('; ')
    return { check, ok: true, warning: true, detail }
  }
  return { check, ok: true, detail: `${trustDomains.length} of ${trustDomains.length}` }
}

function describe({ source, fault = 'none has come yet' }: FederatedDomainStatus): string {
  return `${source}: ${fault}`
}
