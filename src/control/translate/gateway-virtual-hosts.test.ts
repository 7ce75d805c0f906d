import { describe, expect, it } from 'vitest'

import { forward, route, source } from '../../../test/kit/mesh-builder.ts'
import type { MeshGateway, MeshListener } from '../snapshot/mesh-snapshot.ts'
import { noSecurity } from '../snapshot/security.ts'
import { gatewayVirtualHosts } from './gateway-virtual-hosts.ts'

type Listener = Pick<MeshListener, 'name' | 'port' | 'virtualHosts'> & Partial<MeshListener>

function gateway(...listeners: readonly Listener[]): MeshGateway {
  const whole = listeners.map((one): MeshListener => ({ protocol: 'HTTP', certificates: [], streams: [], ...one }))
  return {
    namespace: 'default',
    name: 'public',
    address: '127.0.0.1',
    listeners: whole,
    security: noSecurity,
    source: source('Gateway/default/public'),
  }
}

function named(hostname: string, name: string): MeshListener['virtualHosts'][number] {
  return { hostname, routes: [route(name, forward(['a']))] }
}

function summary(of: MeshGateway, port = 80): Record<string, string[]> {
  return Object.fromEntries(
    gatewayVirtualHosts(of, port).map(({ hostname, routes }) => [hostname, routes.map(({ name }) => name)]),
  )
}

describe('virtual hosts of a gateway port', () => {
  it('takes only the listeners of that port', () => {
    const two = gateway(
      { name: 'a', port: 80, virtualHosts: [named('*', 'a')] },
      { name: 'b', port: 81, virtualHosts: [named('*', 'b')] },
    )
    expect(summary(two)).toEqual({ '*': ['a'] })
    expect(summary(two, 81)).toEqual({ '*': ['b'] })
  })

  it('gives a hostname to the most specific listener, whatever the order of the listeners', () => {
    const any = { name: 'any', port: 80, virtualHosts: [named('a.example', 'any')] }
    const suffix = { name: 'suffix', port: 80, hostname: '*.example', virtualHosts: [named('a.example', 'suffix')] }
    const exact = { name: 'exact', port: 80, hostname: 'a.example', virtualHosts: [named('a.example', 'exact')] }
    expect(summary(gateway(any, suffix, exact))['a.example']).toEqual(['exact'])
    expect(summary(gateway(exact, any, suffix))['a.example']).toEqual(['exact'])
    expect(summary(gateway(any, suffix))['a.example']).toEqual(['suffix'])
  })

  it('does not serve what a specific listener has no route for by a less specific one', () => {
    const any = { name: 'any', port: 80, virtualHosts: [named('*', 'any')] }
    const exact = { name: 'exact', port: 80, hostname: 'a.example', virtualHosts: [] }
    expect(summary(gateway(any, exact))).toEqual({ '*': ['any'], 'a.example': [] })
  })
})
