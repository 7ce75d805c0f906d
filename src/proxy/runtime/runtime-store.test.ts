import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { MeshBuilder, sequentialPorts, serviceName } from '../../../test/kit/mesh-builder.ts'
import { ViewFeed } from '../../../test/kit/view-feed.ts'
import { createResourceView } from '../../control/translate/mesh-resource-view.ts'
import type { XdsNode } from '../../control/translate/resource-view.ts'
import { silentLogger } from '../../core/logger.ts'
import { createRuntimeStore } from './runtime-store.ts'

const web: XdsNode = { id: 'sidecar~default~web', kind: 'sidecar', namespace: 'default', name: 'web' }

function shop(): MeshBuilder {
  return new MeshBuilder()
    .workload('default', 'web', { uses: [{ host: 'reviews.default.svc.cluster.local', port: 80 }] })
    .workload('default', 'reviews')
    .service('default', 'web')
    .service('default', 'reviews')
}

function started(mesh: MeshBuilder = shop()) {
  const clock = new ManualClock()
  const ports = sequentialPorts()
  const store = createRuntimeStore({ clock, logger: silentLogger })
  const view = createResourceView(mesh.build(), ports)
  const feed = new ViewFeed(store, web, view)
  feed.push()
  clock.advance(100)
  return { clock, ports, store, feed, view }
}

describe('runtime store', () => {
  it('puts listeners, routes and clusters into force once everything they need is here', () => {
    const { store, feed } = started()
    const { listeners, routeConfigurations, clusters, revision } = store.runtime.value
    expect(feed.rejected).toEqual([])
    expect(revision).toBe('1')
    expect([...listeners.keys()].toSorted()).toEqual([
      'inbound|9080',
      'outbound',
      'service|reviews.default.svc.cluster.local:80',
    ])
    expect([...routeConfigurations.keys()]).toEqual([serviceName('reviews')])
    expect(clusters.get(serviceName('reviews'))).toMatchObject({
      service: { namespace: 'default', name: 'reviews' },
      peerSpiffeIds: ['spiffe://mesh.local/ns/default/sa/reviews'],
      endpoints: [{ tls: true, workload: { namespace: 'default', name: 'reviews' } }],
    })
    expect(clusters.get('inbound|9080')?.endpoints).toEqual([{ host: '127.1.0.1', port: 9080, weight: 1, tls: false }])
    expect(store.settled.value).toBe(true)
  })

  it('subscribes a host that a request names, and answers when it can be routed', async () => {
    const { clock, store, feed } = started()
    const candidates = ['web:80', serviceName('web'), 'web.svc.cluster.local:80']
    expect(store.lookup(candidates)).toBeUndefined()
    const demand = store.demand(candidates)
    feed.push()
    clock.advance(100)
    expect(await demand).toBe(serviceName('web'))
    expect(store.lookup(candidates)).toBe(serviceName('web'))
    expect(store.runtime.value.clusters.has(serviceName('web'))).toBe(true)
  })

  it('answers undefined for a host that does not exist', async () => {
    const { clock, store, feed } = started()
    const demand = store.demand(['nowhere:80'])
    feed.push()
    clock.advance(100)
    expect(await demand).toBeUndefined()
    expect(store.lookup(['nowhere:80'])).toBeNull()
  })
})
