// Clients that do not keep to the protocol: each gets a clear end, and nobody else notices.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { Client, credentials, status } from '@grpc/grpc-js'
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'

import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
} from '../../src/contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { DeltaDiscoveryResponse } from '../../src/contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls } from '../../src/contracts/xds/names.ts'
import type { ResourceView } from '../../src/control/translate/resource-view.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { xdsChannelOptions } from '../../src/proxy/xds-client/xds-client.ts'
import { memoryView } from '../kit/memory-view.ts'
import { eventually } from '../kit/running-mesh.ts'
import { startXdsClient, startXdsServer } from '../kit/xds-pair.ts'
import type { RecordingClient, RunningXdsServer } from '../kit/xds-pair.ts'

const { cluster, listener } = typeUrls
const node = { id: 'raw' }

const asIs = (bytes: Buffer): Buffer => bytes

/** A stream on which a test writes what bytes it likes. */
class RawStream {
  readonly received: DeltaDiscoveryResponse[] = []
  readonly ended: Promise<ServiceError>
  readonly call: ClientDuplexStream<Buffer, Buffer>

  constructor(t: TestContext, address: string, method: 'DeltaAggregatedResources' | 'StreamAggregatedResources') {
    const client = new Client(address, credentials.createInsecure(), xdsChannelOptions)
    t.after(() => client.close())
    const path = `/envoy.service.discovery.v3.AggregatedDiscoveryService/${method}`
    this.call = client.makeBidiStreamRequest(path, asIs, asIs)
    this.ended = new Promise((resolve) => this.call.once('error', (error) => resolve(error as ServiceError)))
    this.call.on('data', (bytes: Buffer) => this.received.push(fromBinary(DeltaDiscoveryResponseSchema, bytes)))
  }

  delta(fields: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void {
    this.call.write(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields))))
  }

  state(fields: MessageInitShape<typeof DiscoveryRequestSchema>): void {
    this.call.write(Buffer.from(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, fields))))
  }
}

interface World {
  readonly view: WatchableValue<ResourceView>
  readonly server: RunningXdsServer
  readonly bystander: RecordingClient
  stream(method?: 'DeltaAggregatedResources' | 'StreamAggregatedResources'): RawStream
}

async function startWorld(t: TestContext): Promise<World> {
  const view = new WatchableValue(memoryView(1, { [listener]: { l: 'l1' }, [cluster]: { a: 'a1' } }))
  const server = await startXdsServer(view)
  const bystander = startXdsClient(() => server.address)
  t.after(() => {
    bystander.stop()
    server.kill()
  })
  await eventually(() => assert.equal(bystander.has(listener)['l'], 'l1'), 5_000)
  return {
    view,
    server,
    bystander,
    stream: (method = 'DeltaAggregatedResources') => new RawStream(t, server.address, method),
  }
}

/** The bystander's stream is the one it had, and still works. */
async function unaffected({ view, server, bystander }: World): Promise<void> {
  assert.equal(bystander.connected.value, true)
  view.set(memoryView('after', { [listener]: { l: 'after' } }))
  await eventually(() => assert.equal(bystander.has(listener)['l'], 'after'), 5_000)
  assert.deepEqual(
    server.xds.nodes.value.map((one) => one.node.id),
    ['sidecar~default~web'],
  )
}

const refused = [
  {
    name: 'bytes that are no discovery request',
    act: (world: World) => {
      const stream = world.stream()
      stream.call.write(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff]))
      return stream
    },
    code: status.INVALID_ARGUMENT,
    details: /^not a discovery request: /,
  },
  {
    name: 'bytes that are no discovery request, state of the world',
    act: (world: World) => {
      const stream = world.stream('StreamAggregatedResources')
      stream.call.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
      return stream
    },
    code: status.INVALID_ARGUMENT,
    details: /^not a discovery request: /,
  },
  {
    name: 'a broken request on a stream that worked',
    act: (world: World) => {
      const stream = world.stream()
      stream.delta({ node, typeUrl: listener })
      stream.call.write(Buffer.from([0x07]))
      return stream
    },
    code: status.INVALID_ARGUMENT,
    details: /^not a discovery request: /,
  },
  {
    name: 'a first request that does not say who it is from',
    act: (world: World) => {
      const stream = world.stream()
      stream.delta({ typeUrl: listener })
      return stream
    },
    code: status.INVALID_ARGUMENT,
    details: 'the first request of a stream must say which node it is from',
  },
  {
    name: 'a request without a type',
    act: (world: World) => {
      const stream = world.stream('StreamAggregatedResources')
      stream.state({ node })
      return stream
    },
    code: status.INVALID_ARGUMENT,
    details: 'type_url is empty',
  },
  {
    name: 'a node without an id',
    act: (world: World) => {
      const stream = world.stream()
      stream.delta({ node: {}, typeUrl: listener })
      return stream
    },
    code: status.PERMISSION_DENIED,
    details: 'node.id is empty: give the node an id in its bootstrap',
  },
  {
    name: 'a node that claims to be a sidecar under another id',
    act: (world: World) => {
      const stream = world.stream()
      const metadata = { KIND: 'sidecar', NAMESPACE: 'default', NAME: 'web' }
      stream.delta({ node: { id: 'sidecar~default~payment', metadata }, typeUrl: listener })
      return stream
    },
    code: status.PERMISSION_DENIED,
    details: 'node "sidecar~default~payment" does not agree with its metadata: expected "<kind>~<namespace>~<name>"',
  },
]

for (const { name, act, code, details } of refused) {
  test(`refuses ${name}`, async (t) => {
    const world = await startWorld(t)
    const error = await act(world).ended
    assert.equal(error.code, code)
    if (typeof details === 'string') assert.equal(error.details, details)
    else assert.match(error.details, details)
    await unaffected(world)
  })
}

test('a fault in making the resources of one node ends its stream only', async (t) => {
  const world = await startWorld(t)
  const faulty = memoryView(2, { [listener]: { l: 'l1' } })
  world.view.set({
    ...faulty,
    get(typeUrl, name, asker) {
      if (asker.id === 'raw') throw new Error('secret detail')
      return faulty.get(typeUrl, name, asker)
    },
  })
  const stream = world.stream()
  stream.delta({ node, typeUrl: listener })
  const error = await stream.ended
  assert.equal(error.code, status.INTERNAL)
  assert.equal(error.details, 'internal error of the control plane')
  await unaffected(world)
})

test('a client that never acknowledges is sent one response, whatever changes, and then the newest', async (t) => {
  const world = await startWorld(t)
  const stream = world.stream()
  stream.delta({ node, typeUrl: cluster, resourceNamesSubscribe: ['a'] })
  await eventually(() => assert.equal(stream.received.length, 1), 5_000)
  for (let revision = 2; revision <= 30; revision++) {
    world.view.set(memoryView(revision, { [listener]: { l: `${revision}` }, [cluster]: { a: `${revision}` } }))
    await eventually(() => assert.equal(world.bystander.has(listener)['l'], `${revision}`), 5_000)
  }
  assert.equal(stream.received.length, 1)
  const raw = world.server.xds.nodes.value.find((one) => one.node.id === 'raw')
  assert.equal(raw?.types[0]?.state, 'pending')

  stream.delta({ typeUrl: cluster, responseNonce: 'made up' })
  stream.delta({ typeUrl: cluster, responseNonce: stream.received[0]?.nonce ?? '' })
  await eventually(() => assert.equal(stream.received.length, 2), 5_000)
  assert.equal(stream.received[1]?.systemVersionInfo, '30')
})

test('a client that goes away without a word is known to be away', async (t) => {
  const world = await startWorld(t)
  const stream = world.stream()
  stream.delta({ node, typeUrl: listener })
  await eventually(() => assert.equal(world.server.xds.nodes.value.length, 2), 5_000)
  stream.call.cancel()
  await eventually(() => assert.equal(world.server.xds.nodes.value.length, 1), 5_000)
  assert.deepEqual(
    world.server.xds.proxies().map(({ id, connected }) => [id, connected]),
    [
      ['raw', false],
      ['sidecar~default~web', true],
    ],
  )
  await unaffected(world)
})
