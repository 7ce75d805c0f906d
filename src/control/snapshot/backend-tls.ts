// TLS towards what is outside the mesh: ExternalService.spec.tls and BackendTLSPolicy → how each port is dialled.
import type { Problem } from '../../contracts/problem.ts'
import { rootsName } from '../../contracts/xds/names.ts'
import type { BackendTlsSpec, SubjectAltName } from '../../policies/backend-tls/backend-tls.spec.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import type { DocumentIndex } from './document-index.ts'
import type { ProblemList } from './route-attachment.ts'
import type { SecretShelf } from './secrets.ts'
import { compareAge, ServiceTargets, targetStatus } from './service-targets.ts'
import type { PortDraft, ServiceDraft } from './services.ts'
import { badCondition, goodCondition } from './status.ts'
import type { AncestorStatus, Condition, DocumentStatus } from './status.ts'

type Policy = ModelDocument<'BackendTLSPolicy'>

/** What the application encrypts itself is not encrypted again. */
function isOwnTls({ protocol }: PortDraft): boolean {
  return protocol === 'tls'
}

/** The same services, with TLS to originate. A policy wins over the ExternalService's own setting. */
export function withOriginatedTls(
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  shelf: SecretShelf,
  problems: ProblemList,
): { readonly services: ReadonlyMap<string, ServiceDraft>; readonly statuses: ReadonlyMap<string, DocumentStatus> } {
  const byPort = new Map<PortDraft, BackendTlsSpec>()
  for (const draft of services.values()) {
    const tls = ownSetting(draft, shelf, problems)
    if (tls === undefined) continue
    for (const port of draft.ports) if (!isOwnTls(port)) byPort.set(port, tls)
  }
  const statuses = new Map<string, DocumentStatus>()
  const targets = new ServiceTargets(index, services, problems)
  for (const policy of index.all('BackendTLSPolicy').toSorted(compareAge)) {
    const { tls, resolved } = policySetting(policy, shelf, problems)
    const ancestors = policy.spec.targetRefs.map((_, position): AncestorStatus => {
      const { accepted, ports } = targets.attach(policy, position)
      for (const port of ports) if (!isOwnTls(port)) byPort.set(port, tls)
      const noRoots = accepted.status === 'True' && resolved.status === 'False'
      const inForce = noRoots ? badCondition('Accepted', 'NoValidCACertificate', resolved.message) : accepted
      return targetStatus(policy, position, [inForce, resolved])
    })
    statuses.set(policy.id, { ancestors })
  }
  if (byPort.size === 0) return { services, statuses }
  const withTls = [...services].map(([host, draft]): [string, ServiceDraft] => {
    if (!draft.ports.some((port) => byPort.has(port))) return [host, draft]
    const ports = draft.ports.map((port): PortDraft => {
      const originateTls = byPort.get(port)
      return originateTls === undefined ? port : { ...port, originateTls }
    })
    return [host, { ...draft, ports }]
  })
  return { services: new Map(withTls), statuses }
}

function ownSetting(
  { document, host }: ServiceDraft,
  shelf: SecretShelf,
  problems: ProblemList,
): BackendTlsSpec | undefined {
  if (document.kind !== 'ExternalService') return undefined
  const { tls } = document.spec
  if (tls?.mode !== 'SIMPLE') return undefined
  const { sni = host, subjectAltNames, caCertificateRef: ref } = tls
  const names = subjectAltNames.length === 0 ? [sni] : subjectAltNames
  const base = { serverName: sni, subjectAltNames: names.map(subjectAltName) }
  if (ref === undefined) return base
  const roots = rootsName(ref.kind === 'Secret' ? 'secret' : 'configmap', document.namespace, ref.name)
  const found = shelf.roots(ref.kind, document.namespace, ref.name)
  if ('fault' in found) {
    const path = ['spec', 'tls', 'caCertificateRef', 'name']
    const hint = 'Until then nothing is sent there: not in clear text, and not to whoever has any certificate.'
    problems.add(documentProblem(document, 'HDL008', 'error', path, found.fault, hint))
  } else shelf.putRoots(roots, found.pem)
  return { ...base, rootsSecret: roots }
}

function subjectAltName(value: string): SubjectAltName {
  return { type: value.includes('://') ? 'uri' : 'dns', value }
}

/** Without usable roots the setting stands all the same, and names roots that do not exist: nothing is sent. */
function policySetting(
  policy: Policy,
  shelf: SecretShelf,
  problems: ProblemList,
): { readonly tls: BackendTlsSpec; readonly resolved: Condition } {
  const { hostname, subjectAltNames, caCertificateRefs, wellKnownCACertificates } = policy.spec.validation
  const names = subjectAltNames.map(({ type, hostname: dns = '', uri = '' }) =>
    type === 'URI' ? ({ type: 'uri', value: uri } as const) : ({ type: 'dns', value: dns } as const),
  )
  const base = {
    serverName: hostname,
    subjectAltNames: names.length === 0 ? [{ type: 'dns' as const, value: hostname }] : names,
  }
  let resolved = goodCondition('ResolvedRefs', 'every reference leads somewhere')
  if (wellKnownCACertificates !== undefined) return { tls: base, resolved }
  const pems: string[] = []
  for (const [position, { group, kind, name }] of caCertificateRefs.entries()) {
    const path = ['spec', 'validation', 'caCertificateRefs', position]
    const bad = (code: Problem['code'], reason: string, field: string, message: string): void => {
      problems.add(documentProblem(policy, code, 'error', [...path, field], message))
      if (resolved.status === 'True') resolved = badCondition('ResolvedRefs', reason, message)
    }
    if ((group !== '' && group !== 'core') || (kind !== 'ConfigMap' && kind !== 'Secret')) {
      const message = `roots of kind ${group === '' ? '' : `${group}/`}${kind} are not supported`
      bad('HDL010', 'InvalidKind', 'kind', message)
      continue
    }
    const found = shelf.roots(kind, policy.namespace, name)
    if ('fault' in found) bad('HDL008', 'InvalidCACertificateRef', 'name', found.fault)
    else pems.push(found.pem)
  }
  const roots = rootsName('policy', policy.namespace, policy.name)
  if (pems.length > 0) shelf.putRoots(roots, pems.map((pem) => pem.trimEnd()).join('\n') + '\n')
  return { tls: { ...base, rootsSecret: roots }, resolved }
}
