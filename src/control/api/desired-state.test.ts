import { describe, expect, it } from 'vitest'

import { sampleService, sampleSnapshot, sampleWorkload } from '../../../test/kit/sample-snapshot.ts'
import type { MeshGateway, MeshSnapshot } from '../snapshot/mesh-snapshot.ts'
import type { PortAllocation } from '../snapshot/port-allocation.ts'
import { noSecurity } from '../snapshot/security.ts'
import { applicationEnvironment } from './application-environment.ts'
import { buildDesiredState } from './desired-state.ts'
import { buildMeshState } from './mesh-state.ts'
import { claimedPorts, neededAddresses } from './sidecar-addresses.ts'

/** Ports in the order in which they are asked for. */
function allocation(): PortAllocation {
  const known = new Map<string, number>()
  return {
    address(owner, purpose) {
      const key = `${owner} ${purpose}`
      const port = known.get(key) ?? 20_001 + known.size
      known.set(key, port)
      return { host: '127.0.0.1', port }
    },
  }
}

const use = (host: string, port = 80): { host: string; port: number } => ({ host, port })
const reviews = sampleService('reviews')
const otherReviews = sampleService('reviews', { namespace: 'another' })
const userData = sampleService('user-data', {
  ports: [
    {
      name: 'http',
      port: 80,
      protocol: 'http',
      endpoints: [],
      routes: [],
      consumerRoutes: new Map(),
      streams: [],
      consumerStreams: new Map(),
    },
    {
      name: 'admin-api',
      port: 81,
      protocol: 'http',
      endpoints: [],
      routes: [],
      consumerRoutes: new Map(),
      streams: [],
      consumerStreams: new Map(),
    },
  ],
})
const web = sampleWorkload('web', {
  command: ['node', 'web.ts'],
  env: { VERSION: 'v2', NO_PROXY: 'mine' },
  uses: [
    use(otherReviews.host),
    use(reviews.host),
    use(userData.host),
    use(userData.host, 81),
    use('gone.default', 80),
  ],
})

function build(snapshot: MeshSnapshot): ReturnType<typeof buildDesiredState> {
  return buildDesiredState(snapshot, allocation(), { defaultWorkingDirectory: '/here' })
}

describe('applicationEnvironment', () => {
  const ports = allocation()
  const env = applicationEnvironment(web, sampleSnapshot([web], [otherReviews, reviews, userData]), ports)

  it('names the sidecar as proxy in both cases, and turns Node to it', () => {
    expect(env).toMatchObject({
      http_proxy: 'http://127.0.0.1:20001',
      HTTP_PROXY: 'http://127.0.0.1:20001',
      no_proxy: 'localhost,127.0.0.1,::1',
      NODE_USE_ENV_PROXY: '1',
      PORT: '9080',
      HEDDLE_WORKLOAD: 'default/web',
    })
  })

  it("names each service's loopback listener as Kubernetes names services, the own namespace's first", () => {
    const { port } = ports.address('default/web', 'service|reviews.default.svc.cluster.local:80')
    expect(env).toMatchObject({ REVIEWS_SERVICE_HOST: '127.0.0.1', REVIEWS_SERVICE_PORT: String(port) })
  })

  it('turns dashes to underscores, and gives named ports a variable each', () => {
    expect(Object.keys(env).filter((name) => name.startsWith('USER_'))).toEqual([
      'USER_DATA_SERVICE_HOST',
      'USER_DATA_SERVICE_PORT',
      'USER_DATA_SERVICE_PORT_HTTP',
      'USER_DATA_SERVICE_PORT_ADMIN_API',
    ])
    expect(env['USER_DATA_SERVICE_PORT']).toBe(env['USER_DATA_SERVICE_PORT_HTTP'])
    expect(env['USER_DATA_SERVICE_PORT']).not.toBe(env['USER_DATA_SERVICE_PORT_ADMIN_API'])
  })

  it("lets the document's own variables win", () => {
    expect(env).toMatchObject({ VERSION: 'v2', NO_PROXY: 'mine' })
  })
})

function fingerprint(snapshot: MeshSnapshot): string {
  return build(snapshot).sidecars[0]?.application?.fingerprint ?? ''
}

describe('buildDesiredState', () => {
  it('asks for a sidecar for each workload, and for an application only where there is a command', () => {
    const { revision, sidecars } = build(sampleSnapshot([web, sampleWorkload('legacy')], [reviews]))
    expect(revision).toBe('7')
    expect(sidecars).toMatchObject([
      {
        kind: 'sidecar',
        name: 'web',
        spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
        applicationPorts: [{ host: '127.0.0.1', port: 9080 }],
        application: { command: ['node', 'web.ts'], workingDirectory: '/mesh' },
      },
      { name: 'legacy' },
    ])
    expect(sidecars[1]?.application).toBeUndefined()
  })

  it('says which processes a workload registers, and asks for no other application for it', () => {
    const unix = { uid: 1001, path: '/usr/bin/web' }
    expect(build(sampleSnapshot([web], [])).sidecars[0]?.unix).toBeUndefined()
    expect(build(sampleSnapshot([{ ...web, unix }], [])).sidecars[0]?.unix).toEqual(unix)
    expect(fingerprint(sampleSnapshot([{ ...web, unix }], []))).toBe(fingerprint(sampleSnapshot([web], [])))
  })

  it('asks for another process only when the document asks for one: not for a new service', () => {
    const before = fingerprint(sampleSnapshot([web], [reviews]))
    expect(fingerprint(sampleSnapshot([web], [reviews, userData]))).toBe(before)
    expect(fingerprint(sampleSnapshot([{ ...web, env: { NO_PROXY: 'mine', VERSION: 'v2' } }], []))).toBe(before)
    expect(fingerprint(sampleSnapshot([{ ...web, env: { VERSION: 'v3' } }], [reviews]))).not.toBe(before)
    expect(fingerprint(sampleSnapshot([{ ...web, command: ['node', 'b.ts'] }], [reviews]))).not.toBe(before)
  })

  it('hosts a gateway beside a workload of the same name, at other addresses', () => {
    const gateway: MeshGateway = {
      namespace: 'default',
      name: 'web',
      address: '127.0.0.1',
      listeners: [{ name: 'http', port: 8080, protocol: 'HTTP', certificates: [], virtualHosts: [], streams: [] }],
      security: noSecurity,
      source: { document: 'Gateway/default/web' },
    }
    const snapshot = sampleSnapshot([web], [], { gateways: new Map([['default/web', gateway]]) })
    const [sidecar, hosted] = build(snapshot).sidecars
    expect(hosted).toMatchObject({
      kind: 'gateway',
      spiffeId: 'spiffe://mesh.local/ns/default/sa/gateway_web',
      applicationPorts: [],
    })
    expect(hosted?.adminAddress).not.toBe(sidecar?.adminAddress)
    expect([...neededAddresses(snapshot).keys()]).toEqual(['default/web', 'gateway:default/web'])
    expect(claimedPorts(snapshot)).toEqual(new Set([9080, 8080]))
  })
})

describe('buildMeshState', () => {
  it('tells where everything listens', () => {
    const ports = allocation()
    const snapshot = sampleSnapshot([web], [reviews])
    const state = buildMeshState(snapshot, ports, {
      adminUrl: 'http://127.0.0.1:15014',
      adminToken: 'secret',
      xdsAddress: '127.0.0.1:15010',
      isReady: (workload) => workload === 'default/web',
      reason: () => undefined,
    })
    const address = (purpose: Parameters<PortAllocation['address']>[1]): string =>
      `127.0.0.1:${ports.address('default/web', purpose).port}`
    expect(state).toEqual({
      adminUrl: 'http://127.0.0.1:15014',
      adminToken: 'secret',
      xdsAddress: '127.0.0.1:15010',
      revision: '7',
      gateways: [],
      workloads: [
        {
          namespace: 'default',
          name: 'web',
          spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
          ready: true,
          outboundProxy: `http://${address('outbound')}`,
          adminUrl: `http://${address('admin')}`,
          metricsUrl: `http://${address('metrics')}/metrics`,
          inbound: [{ port: 9080, address: address('inbound|9080') }],
          services: [
            {
              namespace: 'default',
              name: 'reviews',
              port: 80,
              address: address('service|reviews.default.svc.cluster.local:80'),
            },
          ],
        },
      ],
    })
  })
})
