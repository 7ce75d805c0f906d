// What the authorization policies of a listener would say of a request that has not happened: the engine that the proxy runs, asked once.
import type { AuthorizationRecord } from '../contracts/decision-record.ts'
import type { FilteredRequest, PeerFacts, VerifiedToken } from '../contracts/http-filter.ts'
import { formatSpiffeId } from '../contracts/identity/spiffe-id.ts'
import { inboundName, nodeId, typeUrls } from '../contracts/xds/names.ts'
import type { MeshSnapshot, MeshWorkload } from '../control/snapshot/mesh-snapshot.ts'
import { createResourceView } from '../control/translate/mesh-resource-view.ts'
import { HeaderList } from '../core/header-list.ts'
import { createAuthorizer } from '../policies/authorization/authorization.runtime.ts'
import type { RbacFilterSpec } from '../policies/authorization/authorization.spec.ts'
import { defaultPaths, normalizePath, pathRefusal } from '../policies/path-normalization/path-normalization.runtime.ts'
import { decodeListenerResource } from '../proxy/runtime/decode-listener.ts'
import type { HttpConnectionManagerConfig, ListenerConfig } from '../proxy/runtime/runtime-config.ts'

/** A request; without `method` a connection of opaque bytes. */
export interface CheckedRequest {
  /** SPIFFE ID of the caller; absent: plaintext. */
  readonly principal?: string
  /** IP address of the caller. */
  readonly address: string
  readonly method?: string
  readonly host: string
  /** With query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly token?: VerifiedToken
}

export function checkAuthorization(listener: ListenerConfig, request: CheckedRequest): AuthorizationRecord {
  const { principal, address, method } = request
  const kind = method === undefined ? 'tcp' : 'http'
  const authorizer = createAuthorizer(rulesOf(listener, kind))
  const peer: PeerFacts = {
    principal,
    address,
    port: 0,
    remoteAddress: address,
    localAddress: listener.host,
    localPort: listener.port,
    sni: undefined,
  }
  if (method === undefined) return authorizer.authorizeConnection(peer)
  const filtered = filteredRequest(listener, { ...request, method }, peer)
  if (filtered === undefined) return plainVerdict(false, pathRefusal)
  const asked = askedAbout(listener, filtered)
  const verdict = authorizer.authorize(filtered)
  return asked === undefined ? verdict : { ...verdict, reason: `asks ${asked}; ${verdict.reason}` }
}

/** Undefined: the listener refuses the path before anybody is asked. */
export function filteredRequest(
  listener: ListenerConfig,
  { method, host, path, headers, token }: CheckedRequest & { readonly method: string },
  peer: PeerFacts,
): FilteredRequest | undefined {
  const normalized = normalizePath(path, managerOf(listener)?.paths ?? defaultPaths)
  if (normalized === undefined) return undefined
  return {
    head: {
      method,
      scheme: 'http',
      authority: host.toLowerCase(),
      path: normalized,
      headers: HeaderList.of(...Object.entries(headers)),
    },
    path: normalized.split('?', 1)[0] as string,
    peer,
    body: undefined,
    token,
    authorization: undefined,
  }
}

/** Of no rule. */
export function plainVerdict(allowed: boolean, reason: string): AuthorizationRecord {
  return { allowed, policy: undefined, source: undefined, reason, audited: [], shadow: undefined }
}

export function managerOf({ filterChains }: ListenerConfig): HttpConnectionManagerConfig | undefined {
  return filterChains.map(({ filter }) => filter).find((filter) => filter.kind === 'http')
}

/** Where the authorization server is that has a say in it too. */
function askedAbout(listener: ListenerConfig, request: FilteredRequest): string | undefined {
  for (const filter of managerOf(listener)?.filters ?? []) {
    if (filter.kind !== 'external-authorization') continue
    const rules = filter.asked === undefined ? undefined : [{ enforced: { ...filter.asked, action: 'DENY' as const } }]
    if (rules === undefined || !createAuthorizer(rules).authorize(request).allowed) return filter.spec.service.cluster
  }
  return undefined
}

/** Every chain of a listener has the same. */
function rulesOf({ filterChains }: ListenerConfig, kind: 'http' | 'tcp'): readonly RbacFilterSpec[] {
  const filter = filterChains.find((chain) => chain.filter.kind === kind)?.filter
  if (filter === undefined) return []
  if (filter.kind === 'tcp') return filter.authorization ?? []
  return (filter.filters ?? []).flatMap((one) => (one.kind === 'authorization' ? [one.spec] : []))
}

/** The listener that a sidecar of `workload` would have for a port of its application: snapshot → view → resource → runtime. */
export function inboundListenerOf(snapshot: MeshSnapshot, workload: MeshWorkload, port: number): ListenerConfig {
  const { namespace, name } = workload
  const anywhere = { address: () => ({ host: '127.0.0.1', port }) }
  const view = createResourceView(snapshot, anywhere)
  const node = { kind: 'sidecar', id: nodeId('sidecar', namespace, name), namespace, name } as const
  const resource = view.get(typeUrls.listener, inboundName(port), node)
  if (resource === undefined) throw new Error(`${namespace}/${name} has no port ${port}`)
  return decodeListenerResource(resource.body)
}

export function spiffeIdOf({ settings }: MeshSnapshot, { namespace, serviceAccount }: MeshWorkload): string {
  return formatSpiffeId({ trustDomain: settings.trustDomain, namespace, serviceAccount })
}
