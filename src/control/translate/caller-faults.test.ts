import { describe, expect, it } from 'vitest'

import { forward, MeshBuilder, route } from '../../../test/kit/mesh-builder.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import type { FaultsSpec } from '../../policies/faults/faults.spec.ts'
import type { MeshFaults } from '../snapshot/mesh-snapshot.ts'
import { callerFaults } from './caller-faults.ts'
import { gatewayDestinations } from './egress-security.ts'
import type { XdsNode } from './resource-view.ts'

const reviews = { host: serviceHost('reviews', 'default'), port: 80 }
const spec: FaultsSpec = { headers: [], reset: { share: 1_000_000 } }

function mesh(callers?: MeshFaults['callers']) {
  const faults = { spec, ...(callers === undefined ? {} : { callers }) }
  return new MeshBuilder()
    .workload('default', 'web')
    .workload('default', 'cart')
    .workload('shop', 'web')
    .service('default', 'reviews', { workloads: ['web'], servicePort: { traffic: { faults } } })
    .gateway('default', 'public', [
      { name: 'http', port: 80, virtualHosts: [{ hostname: '*', routes: [route('all', forward(['reviews']))] }] },
    ])
    .build()
}

function suffers(kind: XdsNode['kind'], namespace: string, name: string, callers?: MeshFaults['callers']): boolean {
  const node = { id: 'n', kind, namespace, name }
  return callerFaults(mesh(callers), node, [reviews]).faultsTo.size > 0
}

describe('who suffers faults', () => {
  it('is everybody where nobody is named, foreign data planes too', () => {
    expect(suffers('sidecar', 'shop', 'web')).toBe(true)
    expect(suffers('gateway', 'default', 'public')).toBe(true)
    expect(suffers('other', 'default', 'web')).toBe(true)
  })

  it('is a namespace, or one service account of it', () => {
    const shop = [{ namespace: 'shop' }]
    expect(suffers('sidecar', 'shop', 'web', shop)).toBe(true)
    expect(suffers('sidecar', 'default', 'web', shop)).toBe(false)
    const cart = [{ namespace: 'default', serviceAccount: 'cart' }]
    expect(suffers('sidecar', 'default', 'cart', cart)).toBe(true)
    expect(suffers('sidecar', 'default', 'web', cart)).toBe(false)
    expect(suffers('gateway', 'default', 'cart', cart)).toBe(false)
  })

  it('is a gateway by the service account that it runs as', () => {
    const gateway = [{ namespace: 'default', serviceAccount: 'gateway_public' }]
    expect(suffers('gateway', 'default', 'public', gateway)).toBe(true)
    expect(suffers('gateway', 'default', 'other', gateway)).toBe(false)
  })

  it('is nobody outside the mesh who only says to be of the namespace', () => {
    expect(suffers('other', 'shop', 'web', [{ namespace: 'shop' }])).toBe(false)
  })

  it('has the same key exactly for those who suffer the same', () => {
    const callers = [{ namespace: 'default', serviceAccount: 'cart' }]
    const keyOf = (name: string): string =>
      callerFaults(mesh(callers), { id: 'n', kind: 'sidecar', namespace: 'default', name }, [reviews]).key
    expect(keyOf('web')).toBe('')
    expect(keyOf('cart')).not.toBe('')
  })

  it('finds the destinations of a gateway', () => {
    const { gateways } = mesh()
    const listeners = gateways.get('default/public')?.listeners ?? []
    expect(gatewayDestinations({ listeners })).toMatchObject([reviews])
  })
})
