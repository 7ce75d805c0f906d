import { fromBinary } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'

import {
  MeshBuilder,
  appliedPolicy,
  forward,
  route,
  sequentialPorts,
  serviceName,
} from '../../../test/kit/mesh-builder.ts'
import { ClusterSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { HealthStatus } from '../../contracts/xds/gen/envoy/config/core/v3/health_check_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../contracts/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_pb.ts'
import { typeUrls } from '../../contracts/xds/names.ts'
import type { AppliedPolicy } from '../../policies/authorization/authorization.spec.ts'
import { decodeEndpointTls, decodeUpstreamTls } from '../../policies/peer-authentication/upstream-tls.xds.ts'
import { createResourceView } from './mesh-resource-view.ts'
import type { EncodedResource, ResourceView, XdsNode } from './resource-view.ts'

const web = sidecar('default', 'web')
const tenant = sidecar('tenant', 'web')
const outsider: XdsNode = { id: 'somebody', kind: 'other', namespace: '', name: '' }

function sidecar(namespace: string, name: string): XdsNode {
  return { id: `sidecar~${namespace}~${name}`, kind: 'sidecar', namespace, name }
}

function mesh(): MeshBuilder {
  return new MeshBuilder()
    .workload('default', 'web', { uses: [{ host: 'api.default.svc.cluster.local', port: 80 }] })
    .workload('default', 'v1')
    .workload('tenant', 'web')
    .service('default', 'api', {
      workloads: ['v1'],
      routes: [route('producer', forward(['api']))],
      consumerRoutes: { tenant: [route('consumer', forward(['api']))] },
    })
    .gateway('default', 'public', [{ name: 'http', port: 8080, virtualHosts: [] }])
}

function routeNames(view: ResourceView, node: XdsNode): string[] | undefined {
  const resource = view.get(typeUrls.routeConfiguration, serviceName('api'), node)
  if (resource === undefined) return undefined
  const { virtualHosts } = fromBinary(RouteConfigurationSchema, resource.body)
  return virtualHosts.flatMap(({ routes }) => routes.map(({ name }) => name))
}

describe('resource view', () => {
  it('gives callers of a namespace the routes they made themselves, the others the producer’s', () => {
    const view = createResourceView(mesh().build(), sequentialPorts())
    expect(routeNames(view, web)).toEqual(['producer'])
    expect(routeNames(view, outsider)).toEqual(['producer'])
    expect(routeNames(view, tenant)).toEqual(['consumer'])
  })

  it('gives every caller without routes of its own the same bytes', () => {
    const view = createResourceView(mesh().build(), sequentialPorts())
    for (const typeUrl of [typeUrls.routeConfiguration, typeUrls.clusterLoadAssignment]) {
      const resource = view.get(typeUrl, serviceName('api'), web)
      expect(resource).toBeDefined()
      expect(view.get(typeUrl, serviceName('api'), sidecar('default', 'v1'))).toBe(resource)
      expect(view.get(typeUrl, serviceName('api'), outsider)).toBe(resource)
    }
  })

  it('keeps bytes and versions of what a new revision does not change', () => {
    const ports = sequentialPorts()
    const builder = mesh()
    const first = createResourceView(builder.build('1'), ports)
    const names = (view: ResourceView): (readonly [typeof typeUrls.listener, string])[] =>
      view.wildcardNames(typeUrls.listener, web).map((name) => [typeUrls.listener, name])
    const before = names(first).map(([typeUrl, name]) => first.get(typeUrl, name, web))
    const cluster = first.get(typeUrls.cluster, serviceName('api'), web)
    const endpoints = first.get(typeUrls.clusterLoadAssignment, serviceName('api'), web)
    const routes = first.get(typeUrls.routeConfiguration, serviceName('api'), web)

    builder.service('default', 'api', { workloads: ['v1'], routes: [route('changed', forward(['api']))] })
    const second = createResourceView(builder.build('2'), ports, first)
    expect(second.revision).toBe('2')
    expect(names(second).map(([typeUrl, name]) => second.get(typeUrl, name, web))).toEqual(before)
    expect(second.get(typeUrls.cluster, serviceName('api'), web)).toBe(cluster)
    expect(second.get(typeUrls.clusterLoadAssignment, serviceName('api'), web)).toBe(endpoints)
    expect(second.get(typeUrls.routeConfiguration, serviceName('api'), web)?.version).not.toBe(routes?.version)
    expect(routeNames(second, web)).toEqual(['changed'])
  })

  it('leaves out workloads that are not ready, unless none is', () => {
    const ports = sequentialPorts()
    const snapshot = mesh()
      .workload('default', 'v2')
      .service('default', 'api', { workloads: ['v1', 'v2'] })
      .build('1')
    const versions = [[], ['default/v1'], ['default/v1', 'default/v2'], ['default/web']].map((ready) => {
      const view = createResourceView(snapshot, ports, undefined, new Map(ready.map((name) => [name, 'ready'])))
      return view.get(typeUrls.clusterLoadAssignment, serviceName('api'), web)?.version
    })
    expect(versions[1]).not.toBe(versions[0])
    expect([versions[2], versions[3]]).toEqual([versions[0], versions[0]])
  })

  it('marks workloads that are stopping, while another is ready', () => {
    const ports = sequentialPorts()
    const snapshot = mesh()
      .workload('default', 'v2')
      .service('default', 'api', { workloads: ['v1', 'v2'] })
      .build('1')
    const statuses = (serving: Record<string, 'ready' | 'draining'>): HealthStatus[] => {
      const view = createResourceView(snapshot, ports, undefined, new Map(Object.entries(serving)))
      const resource = view.get(typeUrls.clusterLoadAssignment, serviceName('api'), web)
      const { endpoints } = fromBinary(ClusterLoadAssignmentSchema, resource?.body ?? new Uint8Array())
      return endpoints.flatMap(({ lbEndpoints }) => lbEndpoints.map(({ healthStatus }) => healthStatus))
    }
    const { UNKNOWN, DRAINING } = HealthStatus
    expect(statuses({ 'default/v1': 'draining', 'default/v2': 'ready' })).toEqual([DRAINING, UNKNOWN])
    expect(statuses({ 'default/v1': 'draining' })).toEqual([UNKNOWN, UNKNOWN])
  })

  it('keeps the object when the same content is compiled again from new documents', () => {
    const ports = sequentialPorts()
    const first = createResourceView(mesh().build('1'), ports)
    const before = first.get(typeUrls.routeConfiguration, serviceName('api'), web)
    const second = createResourceView(mesh().build('2'), ports, first)
    expect(second.get(typeUrls.routeConfiguration, serviceName('api'), web)).toBe(before)
  })

  it('follows the settings, the address of a workload and the ports of its sidecar', () => {
    const ports = sequentialPorts()
    const first = createResourceView(mesh().build('1'), ports)
    const changed = mesh()
      .settings({ peerAuthentication: 'DISABLE' })
      .workload('default', 'web', { address: '127.9.9.9' })
    const second = createResourceView(changed.build('2'), ports, first)
    for (const [typeUrl, name] of [
      [typeUrls.listener, 'inbound|9080'],
      [typeUrls.cluster, 'inbound|9080'],
      [typeUrls.cluster, serviceName('api')],
      [typeUrls.clusterLoadAssignment, serviceName('api')],
    ] as const) {
      const before = first.get(typeUrl, name, web)?.version
      expect(before, name).toBeDefined()
      expect(second.get(typeUrl, name, web)?.version, name).not.toBe(before)
    }
    const other = createResourceView(mesh().build('3'), { address: () => ({ host: '127.0.0.1', port: 1 }) }, second)
    expect(other.get(typeUrls.listener, 'outbound', web)?.version).not.toBe(
      second.get(typeUrls.listener, 'outbound', web)?.version,
    )
  })

  it('leads in plaintext to the ports that take no TLS, and in mutual TLS to the others', () => {
    const port = { name: 'http', port: 9080, protocol: 'http' } as const
    const snapshot = mesh()
      .workload('default', 'v2', { ports: [{ ...port, peerAuthentication: 'DISABLE' }] })
      .service('default', 'api', { workloads: ['v1', 'v2'] })
      .build()
    const view = createResourceView(snapshot, sequentialPorts())
    const name = serviceName('api')
    const endpoints = view.get(typeUrls.clusterLoadAssignment, name, web)?.body ?? new Uint8Array()
    const marks = fromBinary(ClusterLoadAssignmentSchema, endpoints).endpoints[0]?.lbEndpoints.map(({ metadata }) =>
      decodeEndpointTls(metadata?.filterMetadata ?? {}),
    )
    expect(marks).toEqual([true, false])
    const cluster = view.get(typeUrls.cluster, name, web)?.body ?? new Uint8Array()
    expect(decodeUpstreamTls(fromBinary(ClusterSchema, cluster)).peerSpiffeIds).toEqual([
      'spiffe://mesh.local/ns/default/sa/v1',
    ])
    const transports = ['v1', 'v2'].map((workload) => {
      const { body } = view.get(typeUrls.listener, 'inbound|9080', sidecar('default', workload)) ?? {}
      const { filterChains } = fromBinary(ListenerSchema, body ?? new Uint8Array())
      return [...new Set(filterChains.map(({ filterChainMatch }) => filterChainMatch?.transportProtocol))]
    })
    expect(transports).toEqual([['tls'], ['raw_buffer']])
  })

  it('lists only what a node has: its own listeners, none for a stranger', () => {
    const view = createResourceView(mesh().build(), sequentialPorts())
    expect(view.wildcardNames(typeUrls.listener, web)).toEqual([
      'inbound|9080',
      'service|api.default.svc.cluster.local:80',
      'outbound',
    ])
    expect(view.wildcardNames(typeUrls.listener, { ...web, kind: 'gateway', name: 'public' })).toEqual([
      'gateway|default/public|8080',
    ])
    expect(view.wildcardNames(typeUrls.listener, outsider)).toEqual([])
    expect(view.wildcardNames(typeUrls.listener, sidecar('default', 'gone'))).toEqual([])
    expect(view.wildcardNames(typeUrls.routeConfiguration, web)).toEqual([])
  })

  it('has nothing under a name that does not exist or belongs to another node', () => {
    const view = createResourceView(mesh().build(), sequentialPorts())
    for (const [typeUrl, name] of [
      [typeUrls.listener, 'service|other.default.svc.cluster.local:80'],
      [typeUrls.listener, 'inbound|1'],
      [typeUrls.listener, 'gateway|default/public|8080'],
      [typeUrls.listener, serviceName('api')],
      [typeUrls.routeConfiguration, 'api.default.svc.cluster.local:81'],
      [typeUrls.routeConfiguration, 'api.default.svc.cluster.local'],
      [typeUrls.routeConfiguration, 'gateway|default/public|8080'],
      [typeUrls.cluster, ''],
      [typeUrls.cluster, 'inbound|1'],
      [typeUrls.clusterLoadAssignment, 'inbound|9080'],
    ] as const) {
      expect(view.get(typeUrl, name, web), name).toBeUndefined()
    }
    expect(view.get(typeUrls.listener, 'outbound', outsider)).toBeUndefined()
    expect(view.get(typeUrls.cluster, 'inbound|9080', outsider)).toBeUndefined()
    expect(view.get(typeUrls.listener, serviceName('api'), outsider)).toBeDefined()
  })

  it('leaves out endpoints without weight and workloads that are gone', () => {
    const builder = new MeshBuilder().workload('default', 'web').service('default', 'api', {
      endpoints: [
        { kind: 'workload', workload: 'default/gone', port: 80, weight: 1 },
        { kind: 'address', host: '192.0.2.1', port: 80, weight: 0, dns: false },
        { kind: 'address', host: '192.0.2.2', port: 80, weight: 1, dns: false },
      ],
    })
    const view = createResourceView(builder.build(), sequentialPorts())
    const body = view.get(typeUrls.clusterLoadAssignment, serviceName('api'), web)?.body ?? new Uint8Array()
    expect(fromBinary(ClusterLoadAssignmentSchema, body).endpoints[0]?.lbEndpoints).toHaveLength(1)
  })
})

function apiCallers(account: string): AppliedPolicy[] {
  return [appliedPolicy('api', { rules: [{ from: [{ source: { serviceAccounts: [account] } }] }] })]
}

function routesFor(view: ResourceView, name: string, of: XdsNode): EncodedResource | undefined {
  return view.get(typeUrls.routeConfiguration, name, of)
}

describe('policies of what stands outside the mesh', () => {
  const endpoint = { kind: 'address', host: '192.0.2.1', port: 80, weight: 1, dns: false } as const
  const outside = (account: string) =>
    mesh()
      .workload('default', 'twin', { serviceAccount: 'web' })
      .external('api.example', 80, [endpoint], {}, apiCallers(account))
      .external('free.example', 80, [endpoint])
      .build()

  it('are the same bytes for callers of one service account, and others for others', () => {
    const view = createResourceView(outside('web'), sequentialPorts())
    const own = routesFor(view, 'api.example:80', web)
    expect(own).toBeDefined()
    expect(routesFor(view, 'api.example:80', sidecar('default', 'twin'))).toBe(own)
    expect(routesFor(view, 'api.example:80', sidecar('default', 'v1'))?.version).not.toBe(own?.version)
    expect(routesFor(view, 'api.example:80', tenant)?.version).not.toBe(own?.version)
  })

  it('cost nothing where there are none', () => {
    const view = createResourceView(outside('web'), sequentialPorts())
    const free = routesFor(view, 'free.example:80', web)
    expect(routesFor(view, 'free.example:80', tenant)).toBe(free)
    const without = createResourceView(mesh().external('free.example', 80, [endpoint]).build(), sequentialPorts())
    expect(routesFor(without, 'free.example:80', web)?.version).toBe(free?.version)
  })

  it('are built anew when they change, and only then', () => {
    const first = createResourceView(outside('web'), sequentialPorts())
    const before = routesFor(first, 'api.example:80', web)
    const second = createResourceView(outside('v1'), sequentialPorts(), first)
    expect(routesFor(second, 'api.example:80', web)?.version).not.toBe(before?.version)
    const third = createResourceView(outside('web'), sequentialPorts(), first)
    expect(routesFor(third, 'api.example:80', web)).toBe(before)
  })

  it('are not for data planes of which nobody knows whom they call for', () => {
    const view = createResourceView(outside('v1'), sequentialPorts())
    const resource = routesFor(view, 'api.example:80', outsider)
    const { virtualHosts } = fromBinary(RouteConfigurationSchema, resource?.body ?? new Uint8Array())
    expect(virtualHosts[0]?.routes[0]?.action).toMatchObject({ value: { clusterSpecifier: { case: 'cluster' } } })
  })
})
