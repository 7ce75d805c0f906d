// A Gateway's listeners before routes attach: protocol, port, conflicts, allowed kinds and certificates (Gateway API, Listener).
import type { Problem } from '../../contracts/problem.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import type { GatewayListener } from '../model/gateway-kinds.ts'
import { gatewayGroup } from '../model/kinds.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshListener } from './mesh-snapshot.ts'
import type { RankedRoute } from './precedence.ts'
import { isGranted } from './reference-grants.ts'
import type { ProblemList } from './route-attachment.ts'
import type { SecretShelf } from './secrets.ts'
import type { RankedStream } from './stream-attachment.ts'

type Gateway = ModelDocument<'Gateway'>
type Protocol = MeshListener['protocol']

export interface ListenerDraft {
  readonly listener: GatewayListener
  /** Why it is not served. */
  readonly fault: ListenerFault | undefined
  /** It stands in another one's way, and neither is served: `fault` says so too. */
  readonly conflicted: boolean
  /** First reference that leads nowhere, or kind that it cannot serve. Certificates that are usable serve nevertheless. */
  readonly badReference: ListenerFault | undefined
  readonly supportedKinds: readonly string[]
  readonly certificates: readonly string[]
  readonly routesByHost: Map<string, RankedRoute[]>
  /** Kind of the routes that have a hostname. */
  readonly kindByHost: Map<string, string>
  readonly streams: RankedStream[]
  readonly attached: Set<string>
}

export interface ListenerFault {
  readonly reason: string
  readonly message: string
}

/** What can be attached; where TLS ends, bytes are left, which a TCPRoute can lead on as well. */
function kindsOf(listener: GatewayListener): readonly string[] {
  const kinds = kindsByProtocol[listener.protocol as Protocol]
  return listener.protocol === 'TLS' && terminates(listener) ? [...kinds, 'TCPRoute'] : kinds
}

const kindsByProtocol: Readonly<Record<Protocol, readonly string[]>> = {
  HTTP: ['HTTPRoute', 'GRPCRoute'],
  HTTPS: ['HTTPRoute', 'GRPCRoute'],
  TLS: ['TLSRoute'],
  TCP: ['TCPRoute'],
}

export function isServed({ fault, listener, certificates }: ListenerDraft): boolean {
  return fault === undefined && (!terminates(listener) || certificates.length > 0)
}

export function terminates({ protocol, tls }: GatewayListener): boolean {
  return protocol === 'HTTPS' || (protocol === 'TLS' && tls?.mode !== 'Passthrough')
}

/** Which Gateway has a port at an address. */
export class PortOwners {
  readonly #owners: { readonly address: string; readonly port: number; readonly gateway: Gateway }[] = []

  /** The other Gateway that is there already; undefined: it is the given one's now. */
  claim(address: string, port: number, gateway: Gateway): Gateway | undefined {
    const other = this.#owners.find(
      (one) => one.gateway !== gateway && one.port === port && overlaps(one.address, address),
    )
    if (other === undefined) this.#owners.push({ address, port, gateway })
    return other?.gateway
  }
}

function overlaps(a: string, b: string): boolean {
  return a === b || [a, b].some((address) => address === '0.0.0.0' || address === '::')
}

export function draftListeners(
  gateway: Gateway,
  address: string,
  index: DocumentIndex,
  owners: PortOwners,
  shelf: SecretShelf,
  problems: ProblemList,
): readonly ListenerDraft[] {
  const { listeners } = gateway.spec
  return listeners.map((listener, position): ListenerDraft => {
    const path = ['spec', 'listeners', position]
    const empty = { listener, routesByHost: new Map(), kindByHost: new Map(), streams: [], attached: new Set<string>() }
    const refused = (reason: string, problem: Problem, conflicted = false): ListenerDraft => {
      problems.add(problem)
      const fault = { reason, message: problem.message }
      return { ...empty, fault, conflicted, badReference: undefined, supportedKinds: [], certificates: [] }
    }
    const { protocol, port } = listener
    if (!isProtocol(protocol)) {
      const message = `listeners of protocol ${protocol} are not supported`
      const hint = `Use ${Object.keys(kindsByProtocol).join(', ')}.`
      return refused(
        'UnsupportedProtocol',
        documentProblem(gateway, 'HDL010', 'error', [...path, 'protocol'], message, hint),
      )
    }
    const kinds = resolveKinds(gateway, position, kindsOf(listener), problems)
    const conflict = conflictOf(listener, listeners)
    if (conflict !== undefined) {
      const field = conflict.reason === 'ProtocolConflict' ? 'protocol' : 'hostname'
      const hint = 'Give one of them another port.'
      const problem = documentProblem(gateway, 'HDL012', 'error', [...path, field], conflict.message, hint)
      return { ...refused(conflict.reason, problem, true), supportedKinds: kinds.supported }
    }
    const owner = owners.claim(address, port, gateway)
    if (owner !== undefined) {
      const message = `port ${port} belongs to ${owner.id} already`
      const hint = 'Give the listener another port.'
      const problem = documentProblem(gateway, 'HDL011', 'error', [...path, 'port'], message, hint)
      return { ...refused('PortUnavailable', problem), supportedKinds: kinds.supported }
    }
    const { names, fault } = terminates(listener)
      ? resolveCertificates(gateway, position, index, shelf, problems)
      : { names: [], fault: undefined }
    return {
      ...empty,
      fault: undefined,
      conflicted: false,
      badReference: kinds.fault ?? fault,
      supportedKinds: kinds.supported,
      certificates: names,
    }
  })
}

function isProtocol(protocol: string): protocol is Protocol {
  return Object.hasOwn(kindsByProtocol, protocol)
}

/** Only TLS of two protocols may share a port: the SNI tells them apart. All that are in conflict are, none is picked (Gateway API). */
function conflictOf(listener: GatewayListener, all: readonly GatewayListener[]): ListenerFault | undefined {
  const others = all.filter((other) => other !== listener && other.port === listener.port && isProtocol(other.protocol))
  const stranger = others.find((other) => other.protocol !== listener.protocol && !(isTls(other) && isTls(listener)))
  if (stranger !== undefined) {
    const message = `port ${listener.port} cannot serve ${listener.protocol} and, for listener ${stranger.name}, ${stranger.protocol}`
    return { reason: 'ProtocolConflict', message }
  }
  const twin = others.find((other) => (other.hostname ?? '') === (listener.hostname ?? ''))
  if (twin === undefined) return undefined
  const what = listener.hostname === undefined ? 'no hostname' : `the hostname ${listener.hostname}`
  return { reason: 'HostnameConflict', message: `listener ${twin.name} has ${what} on port ${listener.port} too` }
}

function isTls({ protocol }: GatewayListener): boolean {
  return protocol === 'HTTPS' || protocol === 'TLS'
}

function resolveKinds(
  gateway: Gateway,
  position: number,
  possible: readonly string[],
  problems: ProblemList,
): { readonly supported: readonly string[]; readonly fault: ListenerFault | undefined } {
  const listener = gateway.spec.listeners[position] as GatewayListener
  const { kinds } = listener.allowedRoutes
  if (kinds.length === 0) return { supported: possible, fault: undefined }
  const fits = ({ group, kind }: { group: string; kind: string }): boolean =>
    group === gatewayGroup && possible.includes(kind)
  const supported = kinds.filter(fits).map(({ kind }) => kind)
  const bad = kinds.findIndex((one) => !fits(one))
  if (bad === -1) return { supported, fault: undefined }
  const message = `a listener of protocol ${listener.protocol} cannot serve routes of kind ${kinds[bad]?.kind ?? ''}`
  const path = ['spec', 'listeners', position, 'allowedRoutes', 'kinds', bad, 'kind']
  problems.add(documentProblem(gateway, 'HDL010', 'error', path, message, `It serves ${possible.join(', ')}.`))
  return { supported, fault: { reason: 'InvalidRouteKinds', message } }
}

function resolveCertificates(
  gateway: Gateway,
  position: number,
  index: DocumentIndex,
  shelf: SecretShelf,
  problems: ProblemList,
): { readonly names: readonly string[]; readonly fault: ListenerFault | undefined } {
  const path = ['spec', 'listeners', position]
  const { tls, protocol } = gateway.spec.listeners[position] as GatewayListener
  const names: string[] = []
  let fault: ListenerFault | undefined
  const bad = (
    code: Problem['code'],
    reason: string,
    at: (string | number)[],
    message: string,
    hint?: string,
  ): void => {
    problems.add(documentProblem(gateway, code, 'error', [...path, ...at], message, hint))
    fault ??= { reason, message }
  }
  const refs = tls?.certificateRefs ?? []
  if (refs.length === 0) {
    const message = `"certificateRefs" is missing: TLS of protocol ${protocol} ends here`
    bad('HDL006', 'InvalidCertificateRef', ['tls'], message, 'Refer to a Secret of type kubernetes.io/tls.')
  }
  for (const [place, { group, kind, name, namespace = gateway.namespace }] of refs.entries()) {
    const at = ['tls', 'certificateRefs', place]
    if ((group !== '' && group !== 'core') || kind !== 'Secret') {
      const message = `a certificate of kind ${group === '' ? '' : `${group}/`}${kind} is not supported`
      bad('HDL010', 'InvalidCertificateRef', [...at, 'kind'], message, 'Use a Secret.')
      continue
    }
    const subject = { group: gatewayGroup, kind: 'Gateway', namespace: gateway.namespace }
    if (namespace !== gateway.namespace && !isGranted(index, subject, { group, kind, namespace, name })) {
      const message = `Secret ${namespace}/${name} is in another namespace, and no ReferenceGrant there permits it`
      const hint = `Put a ReferenceGrant into ${namespace}: from Gateway in ${gateway.namespace}, to Secret ${name}.`
      bad('HDL009', 'RefNotPermitted', [...at, 'namespace'], message, hint)
      continue
    }
    const found = shelf.certificate({ namespace, name })
    if ('fault' in found) bad('HDL008', 'InvalidCertificateRef', [...at, 'name'], found.fault)
    else names.push(found.name)
  }
  return { names: [...new Set(names)], fault }
}
