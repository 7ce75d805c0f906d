import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { byNamespace } from '../dashboard/src/topology/by-namespace.ts'
import { layOut } from '../dashboard/src/topology/layout.ts'
import type { TopologyEdge, TopologyNode } from '../src/contracts/read-api.ts'

describe('where the nodes of the topology stand', () => {
  it('is left of what they call, and the same however they are listed', () => {
    const links = [
      { from: 'web', to: 'cart' },
      { from: 'cart', to: 'store' },
      { from: 'web', to: 'store' },
    ]
    const places = layOut(['web', 'cart', 'store', 'idle'], links)
    const x = (id: string): number => places.get(id)?.x ?? Number.NaN
    expect(x('web')).toBeLessThan(x('cart'))
    expect(x('cart')).toBeLessThan(x('store'))
    expect(places.get('idle')?.y).toBeGreaterThan(
      Math.max(...['web', 'cart', 'store'].map((id) => places.get(id)?.y ?? 0)),
    )
    expect(layOut(['idle', 'store', 'web', 'cart'], links.toReversed())).toEqual(places)
  })

  it('is a place of its own for each, also where calls go round in circles', () => {
    const ids = fc.uniqueArray(fc.integer({ min: 0, max: 40 }).map(String), { minLength: 1 })
    const pairs = fc.array(fc.tuple(fc.nat(100), fc.nat(100)), { maxLength: 120 })
    fc.assert(
      fc.property(ids, pairs, (nodes, drawn) => {
        const at = (index: number): string => nodes[index % nodes.length] as string
        const places = layOut(
          nodes,
          drawn.map(([from, to]) => ({ from: at(from), to: at(to) })),
        )
        expect([...places.keys()].toSorted()).toEqual(nodes.toSorted())
        expect(new Set([...places.values()].map(({ x, y }) => `${x} ${y}`)).size).toBe(nodes.length)
      }),
    )
  })

  it('is found for 1,000 services with 5,000 edges', () => {
    const nodes = Array.from({ length: 1_000 }, (_, index) => `service/ns-${index % 20}/s-${index}`)
    const links = Array.from({ length: 5_000 }, (_, index) => ({
      from: nodes[(index * 7) % 1_000] as string,
      to: nodes[(index * 13 + Math.floor(index / 1_000)) % 1_000] as string,
    }))
    const places = layOut(nodes, links)
    expect(places.size).toBe(1_000)
    // no long line, wherever everybody calls everybody
    const [width, height] = [
      new Set([...places.values()].map(({ x }) => x)),
      new Set([...places.values()].map(({ y }) => y)),
    ]
    expect(width.size).toBeLessThan(150)
    expect(height.size).toBeGreaterThan(5)
  })
})

describe('a mesh by namespaces', () => {
  it('adds up what is inside, keeps what goes across, and shows the worst', () => {
    const signals = { requests: 10, failed: 0, health: 'healthy' } as const
    const node = (namespace: string, name: string, changes: Partial<TopologyNode> = {}): TopologyNode => ({
      id: `service/${namespace}/${name}`,
      kind: 'service',
      namespace,
      name,
      ready: 1,
      workloads: [`${namespace}/${name}-1`],
      ...signals,
      ...changes,
    })
    const edge = (from: string, to: string, changes: Partial<TopologyEdge> = {}): TopologyEdge => ({
      from: `service/${from}`,
      to: `service/${to}`,
      protocols: ['http'],
      mtls: 'all',
      codes: { '200': 10 },
      durationMs: { p50: 1, p90: 2, p95: 3, p99: 4 },
      ...signals,
      ...changes,
    })
    const topology = {
      atMs: 0,
      windowMs: 60_000,
      revision: '1',
      nodes: [node('a', 'web'), node('a', 'cart', { health: 'failing', failed: 5 }), node('b', 'store')],
      edges: [
        edge('a/web', 'a/cart'),
        edge('a/web', 'b/store', { durationMs: { p50: 1, p90: 2, p95: 3, p99: 400 } }),
        edge('a/cart', 'b/store', { mtls: 'none', health: 'degraded', failed: 1, codes: { '200': 9, '503': 1 } }),
      ],
    }
    const { nodes, edges } = byNamespace(topology, '')
    expect(nodes).toMatchObject([
      { id: 'namespace/a', kind: 'namespace', name: 'a', requests: 20, failed: 5, ready: 2, health: 'failing' },
      { id: 'namespace/b', requests: 10, health: 'healthy' },
    ])
    expect(edges).toHaveLength(1)
    expect(edges[0]).toMatchObject({
      from: 'namespace/a',
      to: 'namespace/b',
      requests: 20,
      failed: 1,
      mtls: 'some',
      health: 'degraded',
      codes: { '200': 19, '503': 1 },
    })
    expect(edges[0]?.durationMs?.p99).toBe(400)
    const opened = byNamespace(topology, 'a')
    expect(opened.nodes.map(({ id }) => id)).toEqual(['service/a/web', 'service/a/cart', 'namespace/b'])
    expect(opened.edges.map(({ from, to }) => `${from} ${to}`)).toEqual([
      'service/a/web service/a/cart',
      'service/a/web namespace/b',
      'service/a/cart namespace/b',
    ])
  })
})
