// TLS towards what is outside the mesh: ExternalService.spec.tls and BackendTLSPolicy → how each port is dialled.
import type { Problem } from '../../contracts/problem.ts'
import { rootsName, serviceHost } from '../../contracts/xds/names.ts'
import type { BackendTlsSpec, SubjectAltName } from '../../policies/backend-tls/backend-tls.spec.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { heddleGroup } from '../model/kinds.ts'
import { nearest } from '../model/nearest.ts'
import type { PolicyTargetReference } from '../model/policy-kinds.ts'
import type { DocumentIndex } from './document-index.ts'
import type { ProblemList } from './route-attachment.ts'
import type { SecretShelf } from './secrets.ts'
import { compareText } from './services.ts'
import type { PortDraft, ServiceDraft } from './services.ts'
import { badCondition, goodCondition, meshControllerName } from './status.ts'
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
  const owners = new Map<PortDraft, Policy>()
  for (const policy of index.all('BackendTLSPolicy').toSorted(compareAge)) {
    const { tls, resolved } = policySetting(policy, shelf, problems)
    const ancestors = policy.spec.targetRefs.map((target, position): AncestorStatus => {
      const accepted = apply(policy, position, tls, resolved, index, services, byPort, owners, problems)
      return {
        ancestorRef: ancestorOf(policy, target),
        controllerName: meshControllerName,
        conditions: [accepted, resolved],
      }
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

function apply(
  policy: Policy,
  position: number,
  tls: BackendTlsSpec,
  resolved: Condition,
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  byPort: Map<PortDraft, BackendTlsSpec>,
  owners: Map<PortDraft, Policy>,
  problems: ProblemList,
): Condition {
  const { group, kind, name, sectionName } = policy.spec.targetRefs[position] as PolicyTargetReference
  const { namespace } = policy
  const refuse = (code: Problem['code'], reason: string, field: string, message: string, hint?: string): Condition => {
    const path = ['spec', 'targetRefs', position, field]
    problems.add(documentProblem(policy, code, 'error', path, message, hint))
    return badCondition('Accepted', reason, message)
  }
  const isService = (group === '' || group === 'core') && kind === 'Service'
  const isExternal = group === heddleGroup && kind === 'ExternalService'
  if (!isService && !isExternal) {
    const message = `a target of kind ${group === '' ? '' : `${group}/`}${kind} is not supported`
    return refuse('HDL010', 'Invalid', 'kind', message, `Use Service, or ExternalService of group ${heddleGroup}.`)
  }
  const target = index.get(isService ? 'Service' : 'ExternalService', namespace, name)
  if (target === undefined) {
    const meant = nearest(name, index.names(isService ? 'Service' : 'ExternalService', namespace))
    const message = `there is no ${kind} "${name}" in namespace ${namespace}`
    return refuse(
      'HDL008',
      'TargetNotFound',
      'name',
      message,
      meant === undefined ? undefined : `Did you mean "${meant}"?`,
    )
  }
  const hosts = target.kind === 'Service' ? [serviceHost(name, namespace)] : target.spec.hosts
  const ports = hosts
    .flatMap((host) => services.get(host)?.ports ?? [])
    .filter((port) => sectionName === undefined || port.name === sectionName)
  if (sectionName !== undefined && ports.length === 0)
    return refuse('HDL008', 'TargetNotFound', 'sectionName', `${kind} ${name} has no port named "${sectionName}"`)
  // what names one port is more specific than what names them all
  const free = ports.filter((port) => {
    const owner = owners.get(port)
    if (owner === undefined) return true
    return sectionName !== undefined && !namesPort(owner, name, port)
  })
  const [first] = ports
  if (first !== undefined && free.length === 0) {
    const message = `${owners.get(first)?.id ?? 'another policy'} applies to ${kind} ${name} already`
    return refuse('HDL012', 'Conflicted', 'name', message, 'Remove one of them.')
  }
  for (const port of free) {
    if (!isOwnTls(port)) byPort.set(port, tls)
    owners.set(port, policy)
  }
  if (resolved.status === 'False') return badCondition('Accepted', 'NoValidCACertificate', resolved.message)
  return goodCondition('Accepted', 'the policy is in force')
}

function namesPort({ spec }: Policy, name: string, port: PortDraft): boolean {
  return spec.targetRefs.some((target) => target.name === name && target.sectionName === port.name)
}

function ancestorOf({ namespace }: Policy, target: PolicyTargetReference): AncestorStatus['ancestorRef'] {
  const { group, kind, name, sectionName } = target
  return { group, kind, name, namespace, ...(sectionName === undefined ? {} : { sectionName }) }
}

function compareAge(a: Policy, b: Policy): number {
  return (
    compareText(a.metadata.creationTimestamp ?? '~', b.metadata.creationTimestamp ?? '~') || compareText(a.id, b.id)
  )
}
