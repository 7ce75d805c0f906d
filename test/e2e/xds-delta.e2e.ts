// Heddle's ADS server and Heddle's client together, over real gRPC on loopback.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { typeUrls } from '../../src/contracts/xds/names.ts'
import type { ResourceView } from '../../src/control/translate/resource-view.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { memoryView } from '../kit/memory-view.ts'
import { until } from '../kit/until.ts'
import { startXdsClient, startXdsServer } from '../kit/xds-pair.ts'

const { listener, cluster, routeConfiguration } = typeUrls

test('listeners arrive unasked, others when subscribed to, and changes follow', async (t) => {
  const view = new WatchableValue<ResourceView>(
    memoryView(1, { [listener]: { outbound: 'l1' }, [cluster]: { a: 'a1', b: 'b1' } }),
  )
  const server = await startXdsServer(view)
  t.after(() => server.kill())
  const client = startXdsClient(() => server.address)
  t.after(() => client.stop())

  await until('the listener', () => client.has(listener)['outbound'] === 'l1')
  assert.equal(client.connected.value, true)
  client.subscribe(cluster, ['a', 'nowhere'])
  await until('cluster a', () => client.has(cluster)['a'] === 'a1')
  await until('that there is no such cluster', () => client.updates.some(({ removed }) => removed.includes('nowhere')))

  view.set(memoryView(2, { [listener]: { outbound: 'l1' }, [cluster]: { a: 'a2', b: 'b2', nowhere: 'n2' } }))
  await until('the change', () => client.has(cluster)['a'] === 'a2' && client.has(cluster)['nowhere'] === 'n2')
  assert.deepEqual(client.updates.at(-1)?.revision, '2')
  assert.equal(client.updates.filter(({ typeUrl }) => typeUrl === listener).length, 1, 'unchanged is not resent')

  view.set(memoryView(3, { [cluster]: { a: 'a2' } }))
  await until('removals', () => client.has(listener)['outbound'] === undefined && !('nowhere' in client.has(cluster)))
})

test('a server that comes back sends only what changed meanwhile', async (t) => {
  const before = memoryView(1, {
    [listener]: { x: 'x1', y: 'y1' },
    [routeConfiguration]: { r: 'r1', s: 's1', u: 'u1' },
  })
  const view = new WatchableValue<ResourceView>(before)
  let server = await startXdsServer(view)
  const client = startXdsClient(() => server.address)
  t.after(() => client.stop())
  t.after(() => server.kill())
  client.subscribe(routeConfiguration, ['r', 's', 'u'])
  await until('the routes', () => Object.keys(client.has(routeConfiguration)).length === 3)

  server.kill()
  await until('the loss to be seen', () => !client.connected.value)
  assert.equal(client.has(routeConfiguration)['r'], 'r1', 'what was there stays')
  client.updates.length = 0
  client.subscribe(routeConfiguration, ['r', 's'])
  view.set(memoryView(2, { [listener]: { x: 'x1' }, [routeConfiguration]: { r: 'r2', s: 's1' } }))
  server = await startXdsServer(view)
  await until('the change', () => client.has(routeConfiguration)['r'] === 'r2' && !('y' in client.has(listener)))
  const sent = client.updates.flatMap(({ changed }) => changed.map(({ name }) => name))
  assert.deepEqual(sent, ['r'])
})
