// Where a backendRef leads, and whether it may: existence, port, kind, and ReferenceGrants across namespaces.
import type { Problem } from '../../contracts/problem.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import type { BackendReference } from '../../policies/traffic-split/traffic-split.schema.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { gatewayGroup, heddleGroup } from '../model/kinds.ts'
import { nearest } from '../model/nearest.ts'
import type { FieldPath } from '../model/yaml-text.ts'
import type { DocumentIndex } from './document-index.ts'
import { isGranted } from './reference-grants.ts'
import type { ServiceDraft } from './services.ts'
import type { ReferenceFault } from './status.ts'

export type RouteDocument = ModelDocument<'HTTPRoute' | 'GRPCRoute'>
export type StreamRouteDocument = ModelDocument<'TLSRoute' | 'TCPRoute'>

export type ResolvedBackend =
  | { readonly host: string; readonly port: number }
  | { readonly fault: ReferenceFault; readonly problem: Problem }

export class BackendResolver {
  readonly #index: DocumentIndex
  readonly #services: ReadonlyMap<string, ServiceDraft>

  constructor(index: DocumentIndex, services: ReadonlyMap<string, ServiceDraft>) {
    this.#index = index
    this.#services = services
  }

  /**
   * `path` is the reference's in `route`. `parentNamespace` is that of the Service the route is attached to, undefined for a Gateway.
   * `severity` of what is found wrong.
   *
   * A ReferenceGrant keeps a namespace from being reached through somebody else's Gateway. In the mesh the callers of a consumer
   * route dial the parent Service themselves, whose namespace therefore is no farther than it was without the route, and who may
   * call is decided at the destination by identity (GEP-1426; conformance test MeshConsumerRoute has such a route and no grant).
   * So a mesh route may point into its own namespace and into its parent Service's; into a third one it needs a grant like any other.
   */
  resolve(
    route: RouteDocument | StreamRouteDocument,
    ref: BackendReference,
    path: FieldPath,
    parentNamespace: string | undefined,
    severity: Problem['severity'],
  ): ResolvedBackend {
    const bad = (
      reason: ReferenceFault['reason'],
      code: Problem['code'],
      field: string,
      message: string,
      hint?: string,
    ): ResolvedBackend => ({
      fault: { reason, message },
      problem: documentProblem(route, code, severity, [...path, field], message, hint),
    })
    const isService = (ref.group === '' || ref.group === 'core') && ref.kind === 'Service'
    const isExternal = ref.group === heddleGroup && ref.kind === 'ExternalService'
    if (!isService && !isExternal) {
      const message = `a backend of kind ${ref.group === '' ? '' : `${ref.group}/`}${ref.kind} is not supported`
      return bad('InvalidKind', 'HDL010', 'kind', message, `Use Service, or ExternalService of group ${heddleGroup}.`)
    }
    const kind = isService ? 'Service' : 'ExternalService'
    const namespace = ref.namespace ?? route.namespace
    const permitted = namespace === route.namespace || namespace === parentNamespace
    const subject = { group: gatewayGroup, kind: route.kind, namespace: route.namespace }
    if (!permitted && !isGranted(this.#index, subject, { ...ref, namespace })) {
      const message = `${kind} ${namespace}/${ref.name} is in another namespace, and no ReferenceGrant there permits it`
      const hint = `Put a ReferenceGrant into ${namespace}: from ${route.kind} in ${route.namespace}, to ${kind} ${ref.name}.`
      return bad('RefNotPermitted', 'HDL009', 'namespace', message, hint)
    }
    const target = this.#index.get(kind, namespace, ref.name)
    if (target === undefined) {
      const meant = nearest(ref.name, this.#index.names(kind, namespace))
      const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
      return bad(
        'BackendNotFound',
        'HDL008',
        'name',
        `there is no ${kind} "${ref.name}" in namespace ${namespace}`,
        hint,
      )
    }
    const host = target.kind === 'Service' ? serviceHost(ref.name, namespace) : (target.spec.hosts[0] as string)
    const ports = this.#services.get(host)?.ports ?? []
    const port = ref.port ?? (ports.length === 1 ? ports[0]?.port : undefined)
    if (port === undefined || !ports.some((one) => one.port === port)) {
      const has = ports.map((one) => one.port).join(', ')
      const message =
        port === undefined
          ? `"port" is missing: ${kind} ${ref.name} has several`
          : `${kind} ${ref.name} has no port ${port}`
      return bad('BackendNotFound', 'HDL008', 'port', message, `It has ${has === '' ? 'none' : has}.`)
    }
    return { host, port }
  }
}
