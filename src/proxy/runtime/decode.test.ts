// Resources of other control planes: what is understood, and what is refused with which words.
import { create, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'

import {
  ClusterSchema,
  Cluster_DiscoveryType as Discovery,
} from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../contracts/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { FilterConfigSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { RouteConfigurationSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_pb.ts'
import { RBACSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { RouterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { HttpInspectorSchema } from '../../contracts/xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts'
import { TlsInspectorSchema } from '../../contracts/xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { LeastRequestSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts'
import { encodeEgressConnections } from '../../policies/authorization/egress.xds.ts'
import { encodeTracing } from '../../policies/tracing/tracing.xds.ts'
import { typedConfig } from '../../policies/typed-config.xds.ts'
import { decodeClusterResource } from './decode-cluster.ts'
import { decodeLoadAssignmentResource } from './decode-endpoints.ts'
import { decodeListenerResource } from './decode-listener.ts'
import { decodeRouteConfigurationResource } from './decode-route.ts'

type RouteConfigurationInit = MessageInitShape<typeof RouteConfigurationSchema>
type ListenerInit = MessageInitShape<typeof ListenerSchema>
type ConnectionManagerInit = MessageInitShape<typeof HttpConnectionManagerSchema>

const address = {
  address: {
    case: 'socketAddress' as const,
    value: { address: '127.0.0.1', portSpecifier: { case: 'portValue' as const, value: 80 } },
  },
}
const toA = { case: 'route' as const, value: { clusterSpecifier: { case: 'cluster' as const, value: 'a' } } }
const anyPath = { pathSpecifier: { case: 'prefix' as const, value: '/' } }
/** Of a filter that this proxy does not have. */
const foreign = typedConfig(LeastRequestSchema, {})

function routes(init: RouteConfigurationInit): ReturnType<typeof decodeRouteConfigurationResource> {
  return decodeRouteConfigurationResource(toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, init)))
}

function listener(init: ListenerInit): ReturnType<typeof decodeListenerResource> {
  return decodeListenerResource(toBinary(ListenerSchema, create(ListenerSchema, init)))
}

function chain(manager: ConnectionManagerInit, more: object = {}): NonNullable<ListenerInit['filterChains']>[number] {
  const value = typedConfig(HttpConnectionManagerSchema, manager)
  return { name: 'c', filters: [{ name: 'http', configType: { case: 'typedConfig', value } }], ...more }
}

function httpFilter(value: ReturnType<typeof typedConfig>, isOptional = false) {
  return { name: 'f', isOptional, configType: { case: 'typedConfig' as const, value } }
}

const rds = { case: 'rds' as const, value: { routeConfigName: 'r' } }

function sampledBy(pattern: string): ReturnType<typeof decodeListenerResource> {
  const samplingRules = [{ matches: `request.path.matches("${pattern}")`, samplingPercent: 100 }]
  const collector = { cluster: 'otel', timeoutMs: 1_000 }
  const tracing = encodeTracing({ collector, randomSamplingPercent: 1, samplingRules })
  return listener({ address, filterChains: [chain({ routeSpecifier: rds, tracing })] })
}

function rulesWith(regex: string): ReturnType<typeof listener> {
  const path = { matchPattern: { case: 'safeRegex' as const, value: { regex } } }
  const urlPath = { case: 'urlPath' as const, value: { rule: { case: 'path' as const, value: path } } }
  const rbac = typedConfig(RBACSchema, { rules: { policies: { p: { permissions: [{ rule: urlPath }] } } } })
  return listener({ address, filterChains: [chain({ routeSpecifier: rds, httpFilters: [httpFilter(rbac)] })] })
}

function withForeignFilter(isOptional: boolean): ReturnType<typeof listener> {
  const manager = chain({ routeSpecifier: rds, httpFilters: [httpFilter(foreign, isOptional)] })
  return listener({ address, filterChains: [manager] })
}

function cluster(init: MessageInitShape<typeof ClusterSchema>): ReturnType<typeof decodeClusterResource> {
  return decodeClusterResource(toBinary(ClusterSchema, create(ClusterSchema, init)))
}

function assignment(init: MessageInitShape<typeof ClusterLoadAssignmentSchema>) {
  return decodeLoadAssignmentResource(toBinary(ClusterLoadAssignmentSchema, create(ClusterLoadAssignmentSchema, init)))
}

function inspector(schema: typeof HttpInspectorSchema | typeof TlsInspectorSchema) {
  return { name: 'i', configType: { case: 'typedConfig' as const, value: typedConfig(schema, {}) } }
}

function endpoint(host: string, port = 80) {
  const value = { address: host, portSpecifier: { case: 'portValue' as const, value: port } }
  const at = { address: { case: 'socketAddress' as const, value } }
  return { hostIdentifier: { case: 'endpoint' as const, value: { address: at } } }
}

describe('route configurations', () => {
  it('drops ports from domains, where the proxy never looks at them', () => {
    const { virtualHosts } = routes({
      virtualHosts: [
        { name: 'v', domains: ['A.example', 'a.example:80', '*'], routes: [{ match: anyPath, action: toA }] },
      ],
    })
    expect(virtualHosts[0]?.domains).toEqual(['a.example', '*'])
  })

  const optional = typedConfig(FilterConfigSchema, { isOptional: true, config: foreign })
  it('ignores the configuration of an unknown filter when the control plane says that it may', () => {
    const init = { match: anyPath, action: toA, typedPerFilterConfig: { rbac: optional } }
    expect(routes({ virtualHosts: [{ name: 'v', domains: ['*'], routes: [init] }] }).virtualHosts).toHaveLength(1)
  })

  it.each([
    [{ match: anyPath }, 'route "x": expected route, redirect or direct_response, got none'],
    [{ action: toA }, 'route "x": match is missing'],
    [{ match: anyPath, action: toA, typedPerFilterConfig: { rbac: foreign } }, 'typed_per_filter_config "rbac"'],
    [{ match: anyPath, action: { case: 'directResponse', value: { status: 99 } } }, '99 is not a status'],
    [
      { match: { pathSpecifier: { case: 'safeRegex', value: { regex: '(' } } }, action: toA },
      'virtual host "v", route "x"',
    ],
  ])('refuses %# and names virtual host and route', (route, reason) => {
    const init = { virtualHosts: [{ name: 'v', domains: ['*'], routes: [{ name: 'x', ...route }] }] }
    expect(() => routes(init as RouteConfigurationInit)).toThrow(reason)
    expect(() => routes(init as RouteConfigurationInit)).toThrow('virtual host "v"')
  })

  it("refuses another filter's configuration of a cluster, and rules for connections that cannot be compiled", () => {
    const clusters = [{ name: 'a', weight: 1, typedPerFilterConfig: { rbac: foreign } }]
    const split = { case: 'weightedClusters' as const, value: { clusters } }
    const action = { case: 'route' as const, value: { clusterSpecifier: split } }
    expect(() =>
      routes({ virtualHosts: [{ name: 'v', domains: ['*'], routes: [{ match: anyPath, action }] }] }),
    ).toThrow('typed_per_filter_config "rbac" is not supported')
    const rule = { kind: 'serverName', match: { kind: 'regex', value: '(' } } as const
    const policies = [{ name: 'p', permissions: [rule], principals: [{ kind: 'any' } as const] }]
    const typedPerFilterConfig = encodeEgressConnections([{ enforced: { action: 'ALLOW', policies } }])
    expect(() => routes({ virtualHosts: [{ name: 'v', domains: ['*'], typedPerFilterConfig }] })).toThrow(
      'virtual host "v"',
    )
  })

  it('refuses policies on a virtual host, which would not apply', () => {
    expect(() => routes({ virtualHosts: [{ name: 'v', typedPerFilterConfig: { rbac: foreign } }] })).toThrow('"rbac"')
    expect(() => routes({ typedPerFilterConfig: { rbac: foreign } })).toThrow('"rbac"')
    expect(() => routes({ typedPerFilterConfig: { rbac: optional } })).not.toThrow()
    expect(() => routes({ virtualHosts: [{ name: 'v', responseHeadersToRemove: ['a'] }] })).toThrow(
      'virtual host "v": responseHeadersToRemove is not supported',
    )
  })
})

describe('listeners', () => {
  it('takes a plain chain that is given routes by name', () => {
    const router = httpFilter(typedConfig(RouterSchema, {}))
    expect(
      listener({ name: 'l', address, filterChains: [chain({ routeSpecifier: rds, httpFilters: [router] })] }),
    ).toEqual({
      name: 'l',
      direction: 'gateway',
      host: '127.0.0.1',
      port: 80,
      inspect: { tls: false, http: false },
      detectTimeoutMs: 15_000,
      filterChains: [
        {
          name: 'c',
          match: { transport: 'plaintext', serverNames: [], applicationProtocols: [] },
          filter: {
            kind: 'http',
            routes: { kind: 'rds', name: 'r' },
            paths: { normalize: false, mergeSlashes: false, escapedSlashes: 'keep' },
            forwarding: { appendForwardedFor: false, forwardedHeader: false, via: undefined, trustedHops: 0 },
            accessLog: { enabled: false, samplePercent: 0 },
          },
        },
      ],
    })
  })

  it('looks at connections as its listener filters and its chains say', () => {
    const base = { name: 'l', address, filterChains: [chain({ routeSpecifier: rds })] }
    const inspected = (changes: object) => listener({ ...base, ...changes })
    expect(inspected({ listenerFilters: [inspector(HttpInspectorSchema)] }).inspect).toEqual({ tls: false, http: true })
    expect(inspected({ listenerFilters: [inspector(TlsInspectorSchema)] }).inspect).toEqual({ tls: true, http: false })
    expect(inspected({ listenerFiltersTimeout: { seconds: 2n } }).detectTimeoutMs).toBe(2_000)
    expect(inspected({ listenerFiltersTimeout: {} }).detectTimeoutMs).toBe(Infinity)
  })

  it('ignores an unknown HTTP filter only when the control plane says that it may', () => {
    expect(withForeignFilter(true).filterChains).toHaveLength(1)
    expect(() => withForeignFilter(false)).toThrow('filter chain "c": HTTP filter "f"')
  })

  it('refuses rules that cannot be compiled before they are in force', () => {
    expect(rulesWith('a+').filterChains).toHaveLength(1)
    expect(() => rulesWith('(')).toThrow('HTTP filter "f": not a regular expression')
  })

  it('refuses a rule of sampling that cannot be compiled before it is in force', () => {
    expect(sampledBy('a+').filterChains).toHaveLength(1)
    expect(() => sampledBy('(')).toThrow('filter chain "c"')
  })

  it.each([
    [{ address }, 'a listener needs a filter chain'],
    [{ filterChains: [chain({ routeSpecifier: rds })] }, 'address: expected a socket address'],
    [{ address, filterChains: [{ name: 'c' }] }, 'filter chain "c": network filter: expected a envoy'],
    [{ address, filterChains: [chain({})] }, 'filter chain "c": expected rds or route_config, got none'],
    [{ address, filterChains: [chain({}), chain({})], defaultFilterChain: {} }, 'defaultFilterChain'],
    [
      { address, filterChains: [chain({ routeSpecifier: rds }, { filterChainMatch: { serverNames: ['a'] } })] },
      'filter chain "c": server_names need transport_protocol "tls"',
    ],
    [
      { address, filterChains: [{ name: 'c', filters: [{ name: 'a' }, { name: 'b' }] }] },
      'filter chain "c": network filter "a"',
    ],
  ])('refuses %# with the place', (init, reason) => {
    expect(() => listener(init as ListenerInit)).toThrow(reason)
  })
})

describe('clusters', () => {
  it("takes Envoy's defaults where the cluster says nothing", () => {
    expect(cluster({ name: 'a', clusterDiscoveryType: { case: 'type', value: Discovery.EDS } })).toEqual({
      config: {
        name: 'a',
        httpProtocol: 'http1',
        connectTimeoutMs: 5_000,
        loadBalancing: { kind: 'least-request', choiceCount: 2 },
        circuitBreaker: { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024 },
        retryConstraint: { percent: 20, intervalMs: 10_000, minRetries: 3, minIntervalMs: 1_000 },
        peerSpiffeIds: [],
        peerAlpn: [],
        discovery: 'eds',
        endpoints: [],
      },
      endpointsName: 'a',
    })
  })

  it('asks for the endpoints by their own name when they have one', () => {
    const decoded = cluster({
      name: 'a',
      clusterDiscoveryType: { case: 'type', value: Discovery.EDS },
      edsClusterConfig: { serviceName: 'b' },
    })
    expect(decoded.endpointsName).toBe('b')
  })

  it('refuses a discovery that it does not have', () => {
    expect(() => cluster({ clusterDiscoveryType: { case: 'type', value: Discovery.ORIGINAL_DST } })).toThrow(
      'discovery type: expected EDS',
    )
  })
})

describe('load assignments', () => {
  it('have endpoints with their priority and locality', () => {
    const endpoints = [
      { priority: 0, lbEndpoints: [] },
      { priority: 1, locality: { region: 'eu', zone: 'a' }, lbEndpoints: [endpoint('192.0.2.1')] },
      { lbEndpoints: [endpoint('192.0.2.2')] },
    ]
    const known = { port: 80, weight: 1, tls: false }
    expect(assignment({ endpoints })).toEqual([
      { ...known, host: '192.0.2.1', priority: 1, locality: { region: 'eu', zone: 'a', subZone: '' } },
      { ...known, host: '192.0.2.2' },
    ])
    expect(assignment({})).toEqual([])
  })

  it.each([0, 70_000])('refuses port %i', (port) => {
    const endpoints = [{ lbEndpoints: [endpoint('192.0.2.1', port)] }]
    expect(() => assignment({ endpoints })).toThrow(`endpoint: "192.0.2.1:${port}" is not a host and a port`)
  })
})

describe('damaged bytes', () => {
  it.each([
    [decodeListenerResource, 'envoy.config.listener.v3.Listener'],
    [decodeRouteConfigurationResource, 'envoy.config.route.v3.RouteConfiguration'],
    [decodeClusterResource, 'envoy.config.cluster.v3.Cluster'],
    [decodeLoadAssignmentResource, 'envoy.config.endpoint.v3.ClusterLoadAssignment'],
  ])('%# says what was expected', (decode, type) => {
    expect(() => decode(new Uint8Array([0x0a, 0xff]))).toThrow(`the bytes are no ${type}`)
  })
})
