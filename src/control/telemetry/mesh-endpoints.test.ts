import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { MeshEndpoints } from './mesh-endpoints.ts'

const cleanUp: (() => void)[] = []
afterEach(() => {
  for (const one of cleanUp.splice(0)) one()
})

const host = 'web.default.svc.cluster.local'

/** Its admin port answers with that. */
async function proxy(name: string, answer: unknown): Promise<{ name: string; adminUrl: string }> {
  const server = createServer(({ url, headers }, response) => {
    const isRight = url === '/clusters' && headers.authorization === 'Bearer of-the-mesh'
    response.end(isRight ? JSON.stringify(answer) : 'refused')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanUp.push(() => server.close())
  return { name, adminUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function endpoint(address: string, activeRequests: number, others: object = {}) {
  return { address, workload: 'default/web-1', activeRequests, connections: { open: 1 }, ...others }
}

describe('the endpoints of a service', () => {
  it('are those that its callers know, with what is under way and who passes them over, and why', async () => {
    const proxies = [
      await proxy('default/one', {
        [`${host}:80`]: [endpoint('127.0.0.1:1', 2), endpoint('127.0.0.1:2', 0, { ejected: 'consecutive-5xx' })],
        'other.default.svc.cluster.local:80': [endpoint('127.0.0.1:9', 9)],
      }),
      await proxy('default/two', { [`${host}:80`]: [endpoint('127.0.0.1:1', 3, { unhealthy: 'status 500' })] }),
      await proxy('default/three', { [`${host}:80`]: [endpoint('127.0.0.1:3', 1)] }),
    ]
    const endpoints = new MeshEndpoints({ clock: new ManualClock(), token: 'of-the-mesh', proxies: () => proxies })
    expect(await endpoints.of(host, ['default/one', 'default/two'])).toEqual({
      asked: ['default/one', 'default/two'],
      silent: [],
      endpoints: [
        {
          address: '127.0.0.1:1',
          workload: 'default/web-1',
          activeRequests: 5,
          passedOver: [{ by: 'default/two', why: 'status 500' }],
        },
        {
          address: '127.0.0.1:2',
          workload: 'default/web-1',
          activeRequests: 0,
          passedOver: [{ by: 'default/one', why: 'consecutive-5xx' }],
        },
      ],
    })
  })

  it('says which callers do not answer, or answer nonsense', async () => {
    const proxies = [
      { name: 'default/gone', adminUrl: 'http://127.0.0.1:1' },
      await proxy('default/odd', { [`${host}:80`]: 7 }),
    ]
    const endpoints = new MeshEndpoints({ clock: new ManualClock(), token: 'of-the-mesh', proxies: () => proxies })
    const names = ['default/gone', 'default/odd']
    expect(await endpoints.of(host, names)).toEqual({ asked: [], silent: names, endpoints: [] })
  })
})
