import type { JsonObject } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'

import type { XdsNode } from '../translate/resource-view.ts'
import { identifyByNodeId, identifyBySvid } from './node-identity.ts'
import type { XdsPeer } from './node-identity.ts'

const peer = (spiffeId?: string): XdsPeer => ({ address: '127.0.0.1:1', headers: new Map(), spiffeId })
const web = { id: 'sidecar~shop~web', metadata: { KIND: 'sidecar', NAMESPACE: 'shop', NAME: 'web' } }

function isRevoked(spiffeId: string, notBeforeMs: number): boolean {
  return spiffeId === 'spiffe://mesh.local/ns/shop/sa/storefront' && notBeforeMs <= 5_000
}

describe('a node by its own word', () => {
  it('is a Heddle proxy when id and metadata agree', () => {
    expect(identifyByNodeId(peer(), web)).toEqual({ id: web.id, kind: 'sidecar', namespace: 'shop', name: 'web' })
  })

  it('is a foreign data plane without Heddle metadata, in the namespace it names', () => {
    const id = 'sidecar~10.0.0.1~pod.ns~ns.svc.cluster.local'
    expect(identifyByNodeId(peer(), { id, metadata: {} })).toEqual({ id, kind: 'other', namespace: '', name: id })
    expect(identifyByNodeId(peer(), { id, metadata: { NAMESPACE: 'ns' } })).toMatchObject({ namespace: 'ns' })
  })

  it.each<[string, JsonObject]>([
    ['sidecar~shop~cart', web.metadata],
    ['gateway~shop~web', web.metadata],
    ['sidecar~shop~web', { KIND: 'sidecar', NAMESPACE: 'shop' }],
    ['sidecar~shop~web', { KIND: 'sidecar', NAMESPACE: 'shop', NAME: { nested: true } }],
    ['', {}],
  ])('is refused when id %j and metadata %j do not agree', (id, metadata) => {
    expect(identifyByNodeId(peer(), { id, metadata })).toBeInstanceOf(Error)
  })
})

describe('a node by its X.509-SVID', () => {
  const accounts: Record<string, string> = { 'shop/web': 'storefront' }
  const identify = identifyBySvid(
    'mesh.local',
    (node: XdsNode) => accounts[`${node.namespace}/${node.name}`],
    isRevoked,
  )

  it('is refused with an SVID that was revoked, and let in with a younger one', () => {
    const shown = peer('spiffe://mesh.local/ns/shop/sa/storefront')
    expect(identify({ ...shown, notBeforeMs: 5_000 }, web)).toMatchObject({ message: expect.stringMatching(/revoked/) })
    expect(identify({ ...shown, notBeforeMs: 6_000 }, web)).toMatchObject({ name: 'web' })
  })

  it('is let in with the SVID of its service account', () => {
    expect(identify(peer('spiffe://mesh.local/ns/shop/sa/storefront'), web)).toMatchObject({
      kind: 'sidecar',
      name: 'web',
    })
  })

  it.each([
    ['no certificate', undefined, 'must show an X.509-SVID of trust domain "mesh.local"'],
    ['another trust domain', 'spiffe://other/ns/shop/sa/storefront', 'must show an X.509-SVID of trust domain'],
    ['no workload identity', 'spiffe://mesh.local/something', 'must show an X.509-SVID of trust domain'],
    ['another service account', 'spiffe://mesh.local/ns/shop/sa/cart', 'may not be sidecar "shop/web"'],
    [
      'the same account of another namespace',
      'spiffe://mesh.local/ns/x/sa/storefront',
      'may not be sidecar "shop/web"',
    ],
  ])('is refused with %s', (_what, spiffeId, reason) => {
    const result = identify(peer(spiffeId), web)
    expect((result as Error).message).toContain(reason)
  })

  it('is refused when there is no such workload', () => {
    const ghost = { id: 'sidecar~shop~ghost', metadata: { KIND: 'sidecar', NAMESPACE: 'shop', NAME: 'ghost' } }
    const result = identify(peer('spiffe://mesh.local/ns/shop/sa/storefront'), ghost)
    expect((result as Error).message).toBe('there is no sidecar "shop/ghost"')
  })

  it('gives a foreign data plane the namespace of its certificate, whatever it says', () => {
    const envoy = { id: 'envoy', metadata: { NAMESPACE: 'elsewhere' } }
    expect(identify(peer('spiffe://mesh.local/ns/shop/sa/any'), envoy)).toMatchObject({
      kind: 'other',
      namespace: 'shop',
      spiffeId: 'spiffe://mesh.local/ns/shop/sa/any',
    })
    // by its own word it is nobody
    expect(identifyByNodeId(peer('spiffe://mesh.local/ns/shop/sa/any'), envoy)).not.toHaveProperty('spiffeId')
  })
})
