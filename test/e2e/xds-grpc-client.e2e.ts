// An xDS client that is not ours: grpc-js-xds resolves `xds:///` through Heddle's state-of-the-world server, and the call arrives.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { create, toBinary } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js'
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js'

import { Cluster_DiscoveryType, ClusterSchema } from '../../src/contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ApiVersion, ConfigSourceSchema } from '../../src/contracts/xds/gen/envoy/config/core/v3/config_source_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../src/contracts/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../../src/contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../../src/contracts/xds/gen/envoy/config/route/v3/route_pb.ts'
import { RouterSchema } from '../../src/contracts/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import {
  HttpConnectionManagerSchema,
  HttpFilterSchema,
} from '../../src/contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { typeUrls } from '../../src/contracts/xds/names.ts'
import type { ResourceView } from '../../src/control/translate/resource-view.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { memoryView } from '../kit/memory-view.ts'
import { asIs, rawUnary } from '../kit/raw-unary.ts'
import { eventually } from '../kit/running-mesh.ts'
import { startXdsServer } from '../kit/xds-pair.ts'

const target = 'echo.default.svc.cluster.local:9000'
const ads = create(ConfigSourceSchema, {
  configSourceSpecifier: { case: 'ads', value: {} },
  resourceApiVersion: ApiVersion.V3,
})

/** Calls for `target` go to that cluster, whose one endpoint is on that port of loopback. */
function mesh(revision: number, cluster: string, port: number): ResourceView {
  const manager = create(HttpConnectionManagerSchema, {
    routeSpecifier: { case: 'rds', value: { routeConfigName: target, configSource: ads } },
    httpFilters: [
      create(HttpFilterSchema, {
        name: 'envoy.filters.http.router',
        configType: { case: 'typedConfig', value: anyPack(RouterSchema, create(RouterSchema)) },
      }),
    ],
  })
  const listener = create(ListenerSchema, {
    name: target,
    apiListener: { apiListener: anyPack(HttpConnectionManagerSchema, manager) },
  })
  const routes = create(RouteConfigurationSchema, {
    name: target,
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          {
            match: { pathSpecifier: { case: 'prefix', value: '' } },
            action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster } } },
          },
        ],
      },
    ],
  })
  const definition = create(ClusterSchema, {
    name: cluster,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
  })
  const address = { address: '127.0.0.1', portSpecifier: { case: 'portValue' as const, value: port } }
  const endpoints = create(ClusterLoadAssignmentSchema, {
    clusterName: cluster,
    endpoints: [
      {
        locality: { region: 'here' },
        loadBalancingWeight: 1,
        lbEndpoints: [
          {
            hostIdentifier: {
              case: 'endpoint',
              value: { address: { address: { case: 'socketAddress', value: address } } },
            },
          },
        ],
      },
    ],
  })
  return memoryView(revision, {
    [typeUrls.listener]: { [target]: toBinary(ListenerSchema, listener) },
    [typeUrls.routeConfiguration]: { [target]: toBinary(RouteConfigurationSchema, routes) },
    [typeUrls.cluster]: { [cluster]: toBinary(ClusterSchema, definition) },
    [typeUrls.clusterLoadAssignment]: { [cluster]: toBinary(ClusterLoadAssignmentSchema, endpoints) },
  })
}

const method = rawUnary('/test.Echo/Say')

/** Answers with its name. */
async function startEcho(t: TestContext, name: string): Promise<number> {
  const server = new Server()
  server.addService(
    { Say: method },
    { Say: (_call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => reply(null, Buffer.from(name)) },
  )
  t.after(() => server.forceShutdown())
  return await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port)
      else reject(error)
    })
  })
}

function say(client: Client): Promise<string> {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 5_000
    client.makeUnaryRequest(method.path, asIs, asIs, Buffer.from('hello'), { deadline }, (error, answer) => {
      if (error === null) resolve(String(answer))
      else reject(error)
    })
  })
}

test('grpc-js-xds finds its way by xDS, follows a change of endpoint and of cluster, and acknowledges all of it', async (t) => {
  const view = new WatchableValue<ResourceView>(mesh(1, 'echo-1', await startEcho(t, 'one')))
  const server = await startXdsServer(view)
  t.after(() => server.kill())
  process.env['GRPC_XDS_BOOTSTRAP_CONFIG'] = JSON.stringify({
    xds_servers: [{ server_uri: server.address, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
    node: { id: 'proxyless-client', locality: { region: 'here' } },
  })
  const plugin = await import('@grpc/grpc-js-xds').catch(() => undefined)
  if (plugin === undefined) {
    t.skip('NOT RUN: @grpc/grpc-js-xds is not installed, so no foreign xDS client was tried')
    return
  }
  plugin.register()
  const client = new Client(`xds:///${target}`, credentials.createInsecure())
  t.after(() => client.close())

  assert.equal(await say(client), 'one')
  const second = await startEcho(t, 'two')
  view.set(mesh(2, 'echo-1', second))
  await eventually(async () => assert.equal(await say(client), 'two'), 5_000)
  const third = await startEcho(t, 'three')
  view.set(mesh(3, 'echo-3', third))
  await eventually(async () => assert.equal(await say(client), 'three'), 5_000)

  await eventually(() => assert.ok(server.xds.nodes.value[0]?.types.every(({ state }) => state === 'synced')), 5_000)
  const [status] = server.xds.nodes.value
  assert.equal(status?.protocol, 'state-of-the-world')
  assert.deepEqual(status?.node, { id: 'proxyless-client', kind: 'other', namespace: '', name: 'proxyless-client' })
  assert.equal(status?.types.length, 4)
  for (const type of status?.types ?? []) {
    assert.equal(type.subscribed, 1, type.typeUrl)
    assert.equal(type.ackedRevision, '3', type.typeUrl)
    assert.equal(type.lastNack, undefined, type.typeUrl)
  }
})
