import { describe, expect, it } from 'vitest'

import { MeshBuilder, appliedPolicy, forward, route } from '../../test/kit/mesh-builder.ts'
import type { MeshBackend, MeshServicePort } from '../control/snapshot/mesh-snapshot.ts'
import { checkEgress, checkUnregistered, findService, outboundSideOf } from './egress-check.ts'
import type { EgressVerdict } from './egress-check.ts'

const endpoint = { kind: 'address', host: '192.0.2.1', port: 80, weight: 1, dns: false } as const
const callers = [
  appliedPolicy('callers', {
    rules: [{ from: [{ source: { serviceAccounts: ['web'] } }], to: [{ operation: { paths: ['/v1/*'] } }] }],
  }),
]
const asked = { address: '127.0.0.1', host: 'api.example', path: '/v1/x', headers: {}, method: 'GET' }

function sideOf(caller: string, changes: Partial<MeshServicePort> = {}): ReturnType<typeof outboundSideOf> {
  const mesh = new MeshBuilder()
    .workload('default', 'web')
    .workload('default', 'other')
    .service('default', 'web')
    .external('api.example', 80, [endpoint], changes, callers)
    .external('free.example', 80, [endpoint])
    .build()
  return outboundSideOf(mesh, mesh.workloads.get(`default/${caller}`) as never)
}

function verdicts(caller: string, changes: Partial<MeshServicePort> = {}, request = {}): EgressVerdict[] {
  const side = sideOf(caller, changes)
  return checkEgress(side.listener, side.routes('api.example:80'), { ...asked, ...request })
}

function to(...backends: readonly MeshBackend[]): Partial<MeshServicePort> {
  return { routes: [route('r', forward([], { backends }))] }
}

describe('what would be let out', () => {
  it('is what the caller may, by path', () => {
    expect(verdicts('web')).toMatchObject([{ destination: 'api.example:80', allowed: true }])
    expect(verdicts('web', {}, { path: '/v2' })).toMatchObject([{ allowed: false }])
    expect(verdicts('other')).toMatchObject([{ allowed: false }])
    expect(verdicts('web', {}, { path: '/v1/..%2f' })).toMatchObject([{ allowed: false, policy: undefined }])
  })

  it('is said of each backend of the route', () => {
    const split = to({ host: 'free.example', port: 80, weight: 1 }, { host: 'api.example', port: 80, weight: 1 })
    expect(verdicts('other', split)).toMatchObject([
      { destination: 'free.example:80', allowed: true },
      { destination: 'api.example:80', allowed: false },
    ])
    expect(verdicts('web', to({ port: 80, weight: 1 }))).toMatchObject([{ allowed: false }])
  })

  it('is nothing that a route answers, and no request that no route is for', () => {
    const redirect = { kind: 'redirect', redirect: { statusCode: 302 } } as const
    expect(verdicts('other', { routes: [route('r', redirect)] })).toMatchObject([{ allowed: true }])
    const narrow = {
      routes: [route('r', forward(['web']), { match: { ...route('m', forward([])).match, method: 'PUT' } })],
    }
    expect(verdicts('web', narrow)).toMatchObject([{ allowed: false, reason: 'no route of the service matches it' }])
  })

  it('is fewer connections of bytes, of which no path is known', () => {
    const { method: _, ...bytes } = asked
    const side = sideOf('web', { protocol: 'tcp' })
    expect(checkEgress(side.listener, side.routes('api.example:80'), bytes)).toMatchObject([{ allowed: false }])
  })

  it('is anything that nobody declared, by default', () => {
    const { listener } = sideOf('web')
    expect(checkUnregistered(listener)).toMatchObject({ allowed: true, policy: undefined })
    const services = ['web.default.svc.cluster.local:80']
    expect(findService(listener, { host: 'web', port: 80 }, services)).toBe('web.default.svc.cluster.local:80')
    expect(findService(listener, { host: 'web.example', port: 80 }, services)).toBeUndefined()
  })
})
