import { describe, expect, it } from 'vitest'

import { MeshBuilder, sequentialPorts } from '../../../test/kit/mesh-builder.ts'
import { payCertificate, shopCertificate, shopRoots } from '../../../test/kit/test-certificates.ts'
import { typeUrls } from '../../contracts/xds/names.ts'
import { createResourceView } from './mesh-resource-view.ts'
import type { ResourceView, XdsNode } from './resource-view.ts'

const shop = 'certificate|default/shop'
const pay = 'certificate|default/pay'
const roots = 'roots|configmap|default/partner'

function mesh(content = shopCertificate): MeshBuilder {
  const listener = { port: 8443, protocol: 'HTTPS' as const }
  return new MeshBuilder()
    .workload('default', 'web')
    .gateway('default', 'public', [{ ...listener, name: 'shop', certificates: [shop] }])
    .gateway('default', 'payments', [{ ...listener, name: 'pay', certificates: [pay] }])
    .secret(shop, content)
    .secret(pay, payCertificate)
    .secret(roots, shopRoots)
}

function proxy(kind: XdsNode['kind'], name: string, verified = true): XdsNode {
  return { id: `${kind}~default~${name}`, kind, namespace: 'default', name, ...(verified ? { verified } : {}) }
}

function names(view: ResourceView, node: XdsNode): string[] {
  return [shop, pay, roots].filter((name) => view.get(typeUrls.secret, name, node) !== undefined)
}

describe('secrets of the resource view', () => {
  const view = createResourceView(mesh().build(), sequentialPorts())

  it('gives a private key to the gateways that show its certificate', () => {
    expect(names(view, proxy('gateway', 'public'))).toEqual([shop, roots])
    expect(names(view, proxy('gateway', 'payments'))).toEqual([pay, roots])
  })

  it.each([
    ['a sidecar', proxy('sidecar', 'web')],
    ['a sidecar with the name of a gateway', proxy('sidecar', 'public')],
    ['a gateway that only says that it is one', proxy('gateway', 'public', false)],
    ['a gateway that does not exist', proxy('gateway', 'other')],
    ['a data plane that is not Heddle’s', proxy('other', 'public')],
  ])('gives none to %s', (_, node) => {
    expect(names(view, node)).toEqual([roots])
  })

  it('lists none: they are to be asked for by name', () => {
    expect(view.wildcardNames(typeUrls.secret, proxy('gateway', 'public'))).toEqual([])
  })

  it('gives a secret a new version when its content changes, and only then', () => {
    const node = proxy('gateway', 'public')
    const before = view.get(typeUrls.secret, shop, node)
    const same = createResourceView(mesh().build('2'), sequentialPorts(), view)
    expect(same.get(typeUrls.secret, shop, node)).toBe(before)
    const rotated = createResourceView(mesh(payCertificate).build('3'), sequentialPorts(), same)
    expect(rotated.get(typeUrls.secret, shop, node)?.version).not.toBe(before?.version)
  })

  it('shows nothing of a secret in the snapshot as JSON', () => {
    const text = JSON.stringify([...mesh().build().secrets])
    expect(text).toContain(shop)
    expect(text).not.toContain('PRIVATE KEY')
  })
})
