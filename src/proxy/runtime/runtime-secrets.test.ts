import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { MeshBuilder, sequentialPorts } from '../../../test/kit/mesh-builder.ts'
import { payCertificate, shopCertificate, shopRoots } from '../../../test/kit/test-certificates.ts'
import { ViewFeed } from '../../../test/kit/view-feed.ts'
import { typeUrls } from '../../contracts/xds/names.ts'
import { createResourceView } from '../../control/translate/mesh-resource-view.ts'
import type { XdsNode } from '../../control/translate/resource-view.ts'
import { silentLogger } from '../../core/logger.ts'
import { describeConfig } from '../admin/config-dump.ts'
import { createRuntimeStore } from './runtime-store.ts'

const shop = 'certificate|default/shop'
const pay = 'certificate|default/pay'
const listener = 'gateway|default/public|8443'
const partner = 'roots|configmap|default/partner'
const node: XdsNode = {
  id: 'gateway~default~public',
  kind: 'gateway',
  namespace: 'default',
  name: 'public',
  verified: true,
}
const everythingElse = [
  typeUrls.cluster,
  typeUrls.clusterLoadAssignment,
  typeUrls.listener,
  typeUrls.routeConfiguration,
]

function mesh(certificate: string = shop, content = shopCertificate): MeshBuilder {
  return new MeshBuilder()
    .secret(shop, content)
    .secret(pay, payCertificate)
    .gateway('default', 'public', [{ name: 'tls', port: 8443, protocol: 'HTTPS', certificates: [certificate] }])
}

function fed(builder: MeshBuilder) {
  const clock = new ManualClock()
  const store = createRuntimeStore({ clock, logger: silentLogger })
  const ports = sequentialPorts()
  const feed = new ViewFeed(store, node, createResourceView(builder.build(), ports))
  const push = (next?: MeshBuilder, types?: Parameters<ViewFeed['push']>[1]): void => {
    feed.push(next === undefined ? undefined : createResourceView(next.build('2'), ports), types)
    clock.advance(100)
  }
  return { clock, store, feed, push }
}

describe('secrets of the runtime', () => {
  it('asks for the certificates that its listeners show, and waits for them', () => {
    const { store, push } = fed(mesh())
    push(undefined, everythingElse)
    expect(store.wanted.value.secrets).toEqual([shop])
    expect([...store.runtime.value.listeners.keys()]).toEqual([])
    expect(store.settled.value).toBe(false)
    push()
    expect([...store.runtime.value.listeners.keys()]).toEqual([listener])
    expect(store.runtime.value.secrets).toEqual(new Map([[shop, shopCertificate]]))
    expect(store.settled.value).toBe(true)
  })

  it('keeps a listener and its certificate until the next one is here', () => {
    const { store, push } = fed(mesh())
    push()
    const before = store.runtime.value.listeners.get(listener)
    push(mesh(pay), everythingElse)
    expect(store.runtime.value.listeners.get(listener)).toBe(before)
    expect([...store.runtime.value.secrets.keys()]).toEqual([shop])
    expect(store.wanted.value.secrets.toSorted()).toEqual([pay, shop])
    push()
    expect([...store.runtime.value.secrets.keys()]).toEqual([pay])
    expect(store.wanted.value.secrets).toEqual([pay])
  })

  it('takes a rotated certificate without a new listener', () => {
    const { store, push } = fed(mesh())
    push()
    const before = store.runtime.value.listeners
    push(mesh(shop, payCertificate))
    expect(store.runtime.value.secrets.get(shop)).toEqual(payCertificate)
    expect(store.runtime.value.listeners).toBe(before)
  })

  it('keeps the last good certificate when it is sent a bad one, and says so', () => {
    const { store, feed, push } = fed(mesh())
    push()
    push(mesh(shop, { ...shopCertificate, privateKeyPem: 'bad' }))
    expect(feed.rejected).toEqual([{ name: shop, reason: 'private_key: no private key in PEM' }])
    expect(store.runtime.value.secrets.get(shop)).toEqual(shopCertificate)
  })

  it('serves the other listeners of a gateway whose certificate does not exist', () => {
    const { store, push } = fed(mesh('certificate|default/gone'))
    push()
    expect([...store.runtime.value.listeners.keys()]).toEqual([listener])
    expect(store.runtime.value.secrets.size).toBe(0)
  })

  it('waits for the roots that a cluster verifies with', () => {
    const host = 'partner.example'
    const originateTls = {
      serverName: host,
      subjectAltNames: [{ type: 'dns' as const, value: host }],
      rootsSecret: partner,
    }
    const endpoint = { kind: 'address' as const, host, port: 443, weight: 1, dns: true }
    const stream = { name: 's', source: { document: 'd' }, hostnames: [], backends: [{ host, port: 80, weight: 1 }] }
    const { store, push } = fed(
      new MeshBuilder()
        .secret(partner, shopRoots)
        .external(host, 80, [endpoint], { originateTls })
        .gateway('default', 'public', [{ name: 'tcp', port: 8443, protocol: 'TCP', streams: [stream] }]),
    )
    push(undefined, everythingElse)
    expect(store.wanted.value.secrets).toEqual([partner])
    expect(store.runtime.value.listeners.size).toBe(0)
    push()
    expect(store.runtime.value.clusters.get(`${host}:80`)?.originateTls).toEqual({
      serverName: host,
      subjectAltNames: [host],
      rootsSecret: partner,
    })
    expect(store.runtime.value.secrets.get(partner)).toEqual(shopRoots)
  })

  it('prints no key', () => {
    const { store, push } = fed(mesh())
    push()
    const text = JSON.stringify(describeConfig(store.runtime.value))
    expect(text).toContain(shop)
    expect(text).not.toContain('PRIVATE KEY')
  })
})
