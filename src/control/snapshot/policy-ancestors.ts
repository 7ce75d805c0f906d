// What a BackendTLSPolicy means to the gateways that send requests where it applies (Gateway API, GEP-1897: they are its ancestors too).
import { hostPort, serviceHost } from '../../contracts/xds/names.ts'
import type { ModelDocument } from '../model/document.ts'
import { gatewayGroup } from '../model/kinds.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshGateway } from './mesh-snapshot.ts'
import type { ServiceDraft } from './services.ts'
import { gatewayControllerName } from './status.ts'
import type { AncestorStatus, DocumentStatus } from './status.ts'

type Policy = ModelDocument<'BackendTLSPolicy'>

/** The statuses of the policies, with the gateways after the targets. */
export function withGatewayAncestors(
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  gateways: ReadonlyMap<string, MeshGateway>,
  statuses: ReadonlyMap<string, DocumentStatus>,
): ReadonlyMap<string, DocumentStatus> {
  const reached = [...gateways.values()].map((gateway) => ({ gateway, ports: portsBehind(gateway) }))
  const changed = new Map(statuses)
  for (const policy of index.all('BackendTLSPolicy')) {
    const targets = statuses.get(policy.id)?.ancestors ?? []
    const ofGateways = reached.flatMap(({ gateway, ports }): AncestorStatus[] => {
      const target = targets.find((_, position) =>
        portsOf(policy, position, index, services).some((port) => ports.has(port)),
      )
      if (target === undefined) return []
      const { namespace, name } = gateway
      const ancestorRef = { group: gatewayGroup, kind: 'Gateway', namespace, name }
      return [{ ancestorRef, controllerName: gatewayControllerName, conditions: target.conditions }]
    })
    if (ofGateways.length > 0) changed.set(policy.id, { ancestors: [...targets, ...ofGateways] })
  }
  return changed
}

/** "host:port" of everything that its routes lead to. */
function portsBehind({ listeners }: MeshGateway): Set<string> {
  const ports = new Set<string>()
  for (const { virtualHosts, streams } of listeners) {
    const actions = virtualHosts.flatMap(({ routes }) => routes.map(({ action }) => action))
    const requests = actions.flatMap((action) => (action.kind === 'forward' ? action.backends : []))
    for (const { host, port } of [...requests, ...streams.flatMap(({ backends }) => backends)])
      if (host !== undefined) ports.add(hostPort(host, port))
  }
  return ports
}

function portsOf(
  { spec, namespace }: Policy,
  position: number,
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
): readonly string[] {
  const target = spec.targetRefs[position]
  if (target === undefined) return []
  const { kind, name, sectionName } = target
  const external = kind === 'ExternalService' ? index.get('ExternalService', namespace, name)?.spec.hosts : undefined
  return (external ?? [serviceHost(name, namespace)]).flatMap((host) =>
    (services.get(host)?.ports ?? [])
      .filter((port) => sectionName === undefined || port.name === sectionName)
      .map(({ port }) => hostPort(host, port)),
  )
}
