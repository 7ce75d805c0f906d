import { createHash } from 'node:crypto'

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { MeshBuilder, forward, route, sequentialPorts, serviceName } from '../../../test/kit/mesh-builder.ts'
import { ViewFeed } from '../../../test/kit/view-feed.ts'
import { typeUrls } from '../../contracts/xds/names.ts'
import type { MeshFilter } from '../../control/snapshot/mesh-snapshot.ts'
import { createResourceView } from '../../control/translate/mesh-resource-view.ts'
import type { ResourceView, XdsNode } from '../../control/translate/resource-view.ts'
import { silentLogger } from '../../core/logger.ts'
import { clusterNames, inlineClusterNames, routeConfigurationNames } from './references.ts'
import type { RuntimeConfig } from './runtime-config.ts'
import { createRuntimeStore } from './runtime-store.ts'

const web: XdsNode = { id: 'sidecar~default~web', kind: 'sidecar', namespace: 'default', name: 'web' }

function shop(): MeshBuilder {
  return new MeshBuilder()
    .workload('default', 'web', { uses: [{ host: 'reviews.default.svc.cluster.local', port: 80 }] })
    .workload('default', 'reviews')
    .service('default', 'web')
    .service('default', 'reviews')
}

function meshFilter(name: string, code: string): MeshFilter {
  const place = { name, source: { document: name } }
  const sha256 = createHash('sha256').update(code).digest('hex')
  const bounds = { timeBudgetMs: 5, onError: 'Continue', maxBodyBytes: 10 } as const
  return { ...place, kind: 'typescript', spec: { ...place, code, sha256, config: {}, ...bounds } }
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

  it('holds routes back until their cluster and its endpoints are here; the old ones stay in force', () => {
    const { clock, ports, store, feed } = started()
    const name = serviceName('reviews')
    const before = store.runtime.value.routeConfigurations.get(name)
    const changed = shop()
      .workload('default', 'v2')
      .service('default', 'v2')
      .service('default', 'reviews', { routes: [route('to v2', forward(['v2']))] })
    const view = createResourceView(changed.build('2'), ports)
    feed.push(view, [typeUrls.routeConfiguration])
    clock.advance(100)
    expect(store.runtime.value.routeConfigurations.get(name)).toBe(before)
    expect(store.settled.value).toBe(false)
    expect(store.wanted.value.clusters).toContain(serviceName('v2'))

    feed.push(view, [typeUrls.cluster])
    clock.advance(100)
    expect(store.runtime.value.routeConfigurations.get(name)).toBe(before)
    expect(store.runtime.value.clusters.has(name)).toBe(true)

    feed.push(view)
    clock.advance(100)
    expect(store.runtime.value.routeConfigurations.get(name)?.virtualHosts[0]?.routes[0]?.name).toBe('to v2')
    expect(store.runtime.value.clusters.get(serviceName('v2'))?.endpoints).toHaveLength(1)
    expect(store.wanted.value.clusters).not.toContain(name)
    expect(store.settled.value).toBe(true)
  })

  it('keeps the last good version of routes whose filter cannot be loaded; the first serves without one', () => {
    const withFilter = (code: string, revision: string): ResourceView => {
      const filters = [meshFilter('Filter/default/tried', code)]
      const routes = [route(`filtered ${revision}`, forward(['reviews']), { filters })]
      return createResourceView(shop().service('default', 'reviews', { routes }).build(revision), ports)
    }
    const { clock, ports, store, feed } = started()
    const inForce = (): string | undefined =>
      store.runtime.value.routeConfigurations.get(serviceName('reviews'))?.virtualHosts[0]?.routes[0]?.name
    feed.push(withFilter('export default { onRequest() {} }', '2'))
    clock.advance(100)
    expect(inForce()).toBe('filtered 2')
    feed.push(withFilter('throw new Error("no such luck")', '3'))
    clock.advance(100)
    expect(inForce()).toBe('filtered 2')
    expect(feed.rejected).toEqual([{ name: serviceName('reviews'), reason: 'Filter/default/tried: no such luck' }])

    const late = createRuntimeStore({ clock, logger: silentLogger })
    const lateFeed = new ViewFeed(late, web, withFilter('throw new Error("no such luck")', '3'))
    lateFeed.push()
    clock.advance(100)
    expect(lateFeed.rejected).toHaveLength(1)
    const { routes } = late.runtime.value.routeConfigurations.get(serviceName('reviews'))?.virtualHosts[0] ?? {}
    expect(routes?.map(({ name }) => name)).toEqual(['filtered 3'])
  })

  it('keeps a cluster that no longer exists for as long as the routes in force need it', () => {
    const { clock, ports, store, feed } = started()
    const reviews = serviceName('reviews')
    const changed = shop().service('default', 'reviews', { routes: [route('gone', forward(['later']))] })
    feed.push(createResourceView(changed.build('2'), ports), [typeUrls.routeConfiguration])
    store.apply({ typeUrl: typeUrls.cluster, changed: [], removed: [reviews], revision: '2' })
    clock.advance(100)
    expect(store.runtime.value.clusters.has(reviews)).toBe(true)
    store.apply({ typeUrl: typeUrls.cluster, changed: [], removed: [serviceName('later')], revision: '2' })
    clock.advance(100)
    expect(store.runtime.value.clusters.has(reviews)).toBe(false)
    expect(store.runtime.value.routeConfigurations.get(reviews)?.virtualHosts[0]?.routes[0]?.name).toBe('gone')
  })

  it('rejects what it cannot use and goes on with the last good version of it and with everything else', () => {
    const { clock, store, view } = started()
    const name = serviceName('reviews')
    const before = store.runtime.value
    const listener = view.get(typeUrls.listener, 'outbound', web)
    const rejected = store.apply({
      typeUrl: typeUrls.routeConfiguration,
      changed: [{ name, version: '2', body: new Uint8Array([0x0a, 0xff]) }],
      removed: [],
      revision: '2',
    })
    expect(rejected).toEqual([{ name, reason: expect.stringContaining('RouteConfiguration') as string }])
    const [other] = store.apply({
      typeUrl: typeUrls.listener,
      changed: [
        { name: 'inbound|9080', version: '2', body: new Uint8Array([0xff]) },
        { name: 'outbound', version: '2', body: listener?.body ?? new Uint8Array() },
      ],
      removed: ['service|reviews.default.svc.cluster.local:80'],
      revision: '2',
    })
    expect(other?.name).toBe('inbound|9080')
    clock.advance(100)
    const after = store.runtime.value
    expect([...after.listeners.keys()].toSorted()).toEqual(['inbound|9080', 'outbound'])
    expect(after.listeners.get('inbound|9080')).toBe(before.listeners.get('inbound|9080'))
  })

  it('does not take a host for unknown because its first routes are unusable', async () => {
    const { clock, store } = started()
    const demand = store.demand(['odd:80'])
    const changed = [{ name: 'odd:80', version: '1', body: new Uint8Array([0xff]) }]
    store.apply({ typeUrl: typeUrls.routeConfiguration, changed, removed: [], revision: '1' })
    clock.advance(100)
    expect(await demand).toBe('odd:80')
    expect(store.runtime.value.routeConfigurations.get('odd:80')).toEqual({ name: 'odd:80', virtualHosts: [] })
  })

  it('keeps the identity of everything that a new revision does not change', () => {
    const { clock, ports, store, feed } = started()
    const before = store.runtime.value
    const changed = shop().workload('default', 'reviews', { address: '127.9.9.9', serviceAccount: 'other' })
    feed.push(createResourceView(changed.build('2'), ports))
    clock.advance(100)
    const after = store.runtime.value
    expect(after.revision).toBe('2')
    expect(after.listeners).toBe(before.listeners)
    expect(after.routeConfigurations).toBe(before.routeConfigurations)
    expect(after.clusters.get('inbound|9080')).toBe(before.clusters.get('inbound|9080'))
    expect(after.clusters.get(serviceName('reviews'))).not.toBe(before.clusters.get(serviceName('reviews')))
  })

  it('keeps its objects when a new stream sends everything again', () => {
    const { clock, store, view } = started()
    const before = store.runtime.value
    new ViewFeed(store, web, view).push()
    clock.advance(100)
    expect(store.runtime.value).toBe(before)
  })

  it('makes one swap of a burst, and waits no longer than 25 ms for its end', () => {
    const { clock, store, view } = started()
    const revisions: string[] = []
    store.runtime.subscribe(({ revision }) => revisions.push(revision))
    const resource = view.get(typeUrls.listener, 'outbound', web)
    const changed = resource === undefined ? [] : [resource]
    for (let revision = 2; revision <= 11; revision++) {
      store.apply({ typeUrl: typeUrls.listener, changed, removed: [], revision: String(revision) })
      clock.advance(4)
    }
    expect(revisions).toEqual(['8'])
    clock.advance(5)
    expect(revisions).toEqual(['8', '11'])
  })

  it('is consistent at every moment, however updates are cut and ordered, and ends as if it had started afresh', () => {
    const services = ['a', 'b', 'c']
    const target = fc.subarray(services, { minLength: 1 })
    const revision = fc.record({
      present: fc.subarray(services),
      routes: fc.record({ a: target, b: target, c: target }),
      deliveries: fc.array(fc.tuple(fc.constantFrom(...Object.values(typeUrls)), fc.nat({ max: 10 })), {
        maxLength: 12,
      }),
    })
    fc.assert(
      fc.property(fc.array(revision, { minLength: 1, maxLength: 6 }), (revisions) => {
        const clock = new ManualClock()
        const ports = sequentialPorts()
        const store = createRuntimeStore({ clock, logger: silentLogger })
        const views = revisions.map(({ present, routes }, index) => {
          const uses = present.map((name) => ({ host: `${name}.default.svc.cluster.local`, port: 80 }))
          const mesh = new MeshBuilder().workload('default', 'web', { uses })
          for (const name of present) {
            mesh.workload('default', name)
            mesh.service('default', name, { routes: [route('r', forward(routes[name as 'a']))] })
          }
          return createResourceView(mesh.build(String(index)), ports)
        })
        const existsInSome = (cluster: string): boolean =>
          views.every((view) => view.get(typeUrls.cluster, cluster, web) !== undefined)
        store.runtime.subscribe((config) => {
          for (const missing of missingReferences(config)) expect(existsInSome(missing)).toBe(false)
        })
        const feed = new ViewFeed(store, web, views[0] as ResourceView)
        for (const [index, { deliveries }] of revisions.entries()) {
          for (const [typeUrl, pauseMs] of deliveries) {
            feed.push(views[index], [typeUrl])
            clock.advance(pauseMs)
          }
        }
        feed.push(views.at(-1))
        clock.advance(100)
        feed.push()
        clock.advance(100)
        expect(store.settled.value).toBe(true)

        const fresh = createRuntimeStore({ clock, logger: silentLogger })
        new ViewFeed(fresh, web, views.at(-1) as ResourceView).push()
        clock.advance(100)
        // the newest revision may not concern this node at all
        expect({ ...store.runtime.value, revision: '' }).toEqual({ ...fresh.runtime.value, revision: '' })
      }),
      { numRuns: 60 },
    )
  }, 30_000)
})

/** Names that something in force refers to and that are not there. */
function missingReferences({ listeners, routeConfigurations, clusters }: RuntimeConfig): string[] {
  const routes = [...listeners.values()].flatMap(routeConfigurationNames)
  const used = [
    ...[...routeConfigurations.values()].flatMap(clusterNames),
    ...[...listeners.values()].flatMap(inlineClusterNames),
  ]
  return [...routes.filter((name) => !routeConfigurations.has(name)), ...used.filter((name) => !clusters.has(name))]
}

describe('routes on demand', () => {
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

  it('prefers the first candidate that exists, also when a later one is known already', async () => {
    const { clock, store, feed } = started()
    const [first, second] = [serviceName('web'), serviceName('reviews')]
    expect(store.lookup([second])).toBe(second)
    expect(store.lookup([first, second])).toBeUndefined()
    const demand = store.demand([first, second])
    feed.push()
    clock.advance(100)
    expect(await demand).toBe(first)
  })

  it('rejects when the control plane does not answer in time, and answers when it does later', async () => {
    const { clock, store, feed } = started()
    const demand = store.demand(['web:80'])
    clock.advance(5_000)
    await expect(demand).rejects.toThrow('no answer from the control plane within 5000 ms about web:80')
    feed.push()
    clock.advance(100)
    expect(await store.demand(['web:80'])).toBeUndefined()
  })

  it('makes do with a host in force while the control plane is away', async () => {
    const { clock, store } = started()
    const demand = store.demand(['reviews:80', serviceName('reviews')])
    clock.advance(5_000)
    expect(await demand).toBe(serviceName('reviews'))
  })

  it('remembers a miss while it is asked for, and sees the host appear', async () => {
    const { clock, ports, store, feed } = started()
    const late = serviceName('late')
    const demand = store.demand([late])
    feed.push()
    expect(await demand).toBeUndefined()
    for (let times = 0; times < 5; times++) {
      clock.advance(8_000)
      expect(store.lookup([late])).toBeNull()
    }
    feed.push(
      createResourceView(
        shop()
          .service('default', 'late', { workloads: ['web'] })
          .build('2'),
        ports,
      ),
    )
    clock.advance(100)
    expect(store.lookup([late])).toBe(late)
  })

  it('forgets a miss that nobody asks for', async () => {
    const { clock, store, feed } = started()
    const demand = store.demand(['nowhere:80'])
    feed.push()
    await demand
    clock.advance(299_000)
    expect(store.wanted.value.routeConfigurations).toContain('nowhere:80')
    clock.advance(32_000)
    expect(store.wanted.value.routeConfigurations).not.toContain('nowhere:80')
    expect(store.lookup(['nowhere:80'])).toBeUndefined()
  })

  it('drops a host that no request has named for five minutes, with its cluster; use keeps it', async () => {
    const { clock, store, feed } = started()
    const host = serviceName('web')
    const demand = store.demand([host])
    feed.push()
    clock.advance(100)
    await demand
    clock.advance(299_000)
    expect(store.lookup([host])).toBe(host)
    clock.advance(299_000)
    expect(store.runtime.value.routeConfigurations.has(host)).toBe(true)
    clock.advance(32_000)
    expect(store.runtime.value.routeConfigurations.has(host)).toBe(false)
    expect(store.runtime.value.clusters.has(host)).toBe(false)
    expect(store.wanted.value.clusters).not.toContain(host)
    expect(store.lookup([host])).toBeUndefined()
  })

  it('leaves no timer behind once everything on demand is gone', async () => {
    const { clock, store, feed } = started()
    const demand = store.demand(['nowhere:80'])
    feed.push()
    await demand
    clock.advance(400_000)
    expect(clock.pendingCount).toBe(0)
  })
})
