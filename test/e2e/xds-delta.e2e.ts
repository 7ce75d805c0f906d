// Heddle's ADS server and Heddle's client together, over real gRPC on loopback.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import * as fc from 'fast-check'

import { typeUrls } from '../../src/contracts/xds/names.ts'
import type { TypeUrl } from '../../src/contracts/xds/names.ts'
import type { ResourceView } from '../../src/control/translate/resource-view.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { memoryView } from '../kit/memory-view.ts'
import type { MemoryResources } from '../kit/memory-view.ts'
import { eventually } from '../kit/running-mesh.ts'
import { startXdsClient, startXdsServer } from '../kit/xds-pair.ts'
import type { RecordingClient, RunningXdsServer } from '../kit/xds-pair.ts'

const { listener, cluster, routeConfiguration } = typeUrls

interface World {
  readonly view: WatchableValue<ResourceView>
  readonly client: RecordingClient
  server: RunningXdsServer
  restart(): Promise<void>
}

async function startWorld(t: TestContext, resources: MemoryResources): Promise<World> {
  const view = new WatchableValue(memoryView(1, resources))
  const world: World = {
    view,
    client: startXdsClient(() => world.server.address),
    server: await startXdsServer(view),
    async restart() {
      world.server.kill()
      world.server = await startXdsServer(view)
    },
  }
  t.after(() => {
    world.client.stop()
    world.server.kill()
  })
  return world
}

function holds(what: string, condition: () => boolean): Promise<void> {
  return eventually(() => assert.ok(condition(), what), 5_000)
}

test('listeners arrive unasked, others when subscribed to, and changes follow', async (t) => {
  const { client, view } = await startWorld(t, { [listener]: { outbound: 'l1' }, [cluster]: { a: 'a1', b: 'b1' } })
  await holds('the listener', () => client.has(listener)['outbound'] === 'l1')
  assert.equal(client.connected.value, true)
  client.subscribe(cluster, ['a', 'nowhere'])
  await holds('cluster a', () => client.has(cluster)['a'] === 'a1')
  await holds('that there is no such cluster', () => client.updates.some(({ removed }) => removed.includes('nowhere')))

  view.set(memoryView(2, { [listener]: { outbound: 'l1' }, [cluster]: { a: 'a2', b: 'b2', nowhere: 'n2' } }))
  await holds('the change', () => client.has(cluster)['a'] === 'a2' && client.has(cluster)['nowhere'] === 'n2')
  assert.equal(client.updates.at(-1)?.revision, '2')
  assert.equal(client.updates.filter(({ typeUrl }) => typeUrl === listener).length, 1, 'unchanged is not resent')

  view.set(memoryView(3, { [cluster]: { a: 'a2' } }))
  await holds('removals', () => client.has(listener)['outbound'] === undefined && !('nowhere' in client.has(cluster)))
})

test('a server that comes back sends only what changed meanwhile', async (t) => {
  const world = await startWorld(t, {
    [listener]: { x: 'x1', y: 'y1' },
    [routeConfiguration]: { r: 'r1', s: 's1', u: 'u1' },
  })
  const { client, view } = world
  client.subscribe(routeConfiguration, ['r', 's', 'u'])
  await holds('the routes', () => Object.keys(client.has(routeConfiguration)).length === 3)

  world.server.kill()
  await holds('the loss to be seen', () => !client.connected.value)
  assert.equal(client.has(routeConfiguration)['r'], 'r1', 'what was there stays')
  client.updates.length = 0
  client.subscribe(routeConfiguration, ['r', 's'])
  view.set(memoryView(2, { [listener]: { x: 'x1' }, [routeConfiguration]: { r: 'r2', s: 's1' } }))
  await world.restart()
  await holds('the change', () => client.has(routeConfiguration)['r'] === 'r2' && !('y' in client.has(listener)))
  const sent = client.updates.flatMap(({ changed }) => changed.map(({ name }) => name))
  assert.deepEqual(sent, ['r'])
})

test('a rejected resource stays as it was, the server knows why, and the next version heals it', async (t) => {
  const { client, view, server } = await startWorld(t, { [listener]: { a: 'a1', b: 'b1' } })
  client.reject = (name, body) => (body.startsWith('bad') ? `cannot listen on ${name}` : undefined)
  await holds('the listeners', () => client.has(listener)['b'] === 'b1')
  const told: number[] = []
  t.after(server.xds.nodes.subscribe((nodes) => told.push(nodes.length)))
  view.set(memoryView(2, { [listener]: { a: 'bad', b: 'b2' } }))
  await holds('the rest of the change', () => client.has(listener)['b'] === 'b2')
  assert.equal(client.has(listener)['a'], 'a1')
  const type = () => server.xds.nodes.value[0]?.types[0]
  await holds('the rejection', () => type()?.state === 'rejected')
  const { revision, message, resources } = type()?.lastNack ?? {}
  assert.deepEqual(
    { revision, message, resources },
    { revision: '2', message: 'a: cannot listen on a', resources: ['a'] },
  )

  view.set(memoryView(3, { [listener]: { a: 'a3', b: 'b2' } }))
  await holds('the next version', () => client.has(listener)['a'] === 'a3' && type()?.state === 'synced')
  const [status] = server.xds.proxies()
  assert.equal(status?.ackedRevision, '3')
  assert.equal(status.lastNack?.message, 'a: cannot listen on a')
  assert.equal(status.lastNack.current, false)
  await holds('those who watch to be told', () => told.includes(1))
})

const types = Object.values(typeUrls)
const names = ['a', 'b', 'c']
const type = fc.constantFrom(...types)
const step = fc.oneof(
  fc.record({
    do: fc.constant('change' as const),
    type,
    name: fc.constantFrom(...names),
    body: fc.option(fc.constantFrom('1', '2', '3'), { nil: undefined }),
  }),
  fc.record({
    do: fc.constant('subscribe' as const),
    type: type.filter((one) => one !== listener),
    wanted: fc.subarray(names),
  }),
  fc.constant({ do: 'breathe' as const }),
  fc.constant({ do: 'restart' as const }),
)

test('whatever happens on the way, the client ends with what the server offers', async (t) => {
  const world = await startWorld(t, {})
  const content: Record<string, Record<string, string>> = {}
  const wanted = new Map<TypeUrl, readonly string[]>()
  let revision = 1
  const expected = (typeUrl: TypeUrl): Record<string, string> => {
    const mine = typeUrl === listener ? names : (wanted.get(typeUrl) ?? [])
    return Object.fromEntries(Object.entries(content[typeUrl] ?? {}).filter(([name]) => mine.includes(name)))
  }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), async (steps) => {
      for (const one of steps) {
        if (one.do === 'change') {
          const ofType = (content[one.type] ??= {})
          if (one.body === undefined) delete ofType[one.name]
          else ofType[one.name] = one.body
          world.view.set(memoryView(++revision, content))
        } else if (one.do === 'subscribe') {
          wanted.set(one.type, one.wanted)
          world.client.subscribe(one.type, one.wanted)
        } else if (one.do === 'restart') await world.restart()
        else await new Promise((resolve) => setTimeout(resolve, 3))
      }
      await eventually(() => {
        for (const typeUrl of types) assert.deepEqual(world.client.has(typeUrl), expected(typeUrl))
      }, 15_000)
    }),
    { numRuns: 40, endOnFailure: true },
  )
})
