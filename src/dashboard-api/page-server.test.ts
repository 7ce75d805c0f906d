import { gunzipSync, gzipSync } from 'node:zlib'

import type { FastifyInstance } from 'fastify'
import { describe, expect, it } from 'vitest'

import { apiAccess } from '../../test/kit/api-access.ts'
import { ManualClock } from '../../test/kit/manual-clock.ts'
import { sampleSnapshot } from '../../test/kit/sample-snapshot.ts'
import { WorkloadStatuses } from '../control/api/workload-statuses.ts'
import { KeptRequests } from '../control/telemetry/kept-requests.ts'
import { MeshEndpoints } from '../control/telemetry/mesh-endpoints.ts'
import { MeshEvents } from '../control/telemetry/mesh-events.ts'
import { MeshTap } from '../control/telemetry/mesh-tap.ts'
import { ObservedTraffic } from '../control/telemetry/observed-traffic.ts'
import { PassedOverEndpoints } from '../control/telemetry/passed-over.ts'
import { ProxyCertificates } from '../control/telemetry/proxy-certificates.ts'
import { silentLogger } from '../core/logger.ts'
import { buildPageServer } from './page-server.ts'

const body = Buffer.from('let page')
const asset = { type: 'text/javascript; charset=utf-8', body, gzip: gzipSync(body), isHashed: true }

function serving(): FastifyInstance {
  const clock = new ManualClock()
  return buildPageServer({
    assets: new Map([
      ['/', { ...asset, type: 'text/html; charset=utf-8', isHashed: false }],
      ['/assets/page-1a2b.js', asset],
    ]),
    readApi: {
      clock,
      snapshot: () => sampleSnapshot([]),
      traffic: new ObservedTraffic({ clock }),
      events: new MeshEvents(clock),
      requests: new KeptRequests(),
      tap: new MeshTap({ clock, token: '', proxies: () => [] }),
      endpoints: new MeshEndpoints({ clock, token: '', proxies: () => [] }),
      compileCondition: () => ({ message: 'no condition', offset: 4 }),
      statuses: new WorkloadStatuses(),
      proxies: () => [],
      proxyCertificates: new ProxyCertificates(),
      passedOver: new PassedOverEndpoints(),
      authorityCertificates: () => [],
      problems: () => [],
      documents: () => [],
      revisions: () => Promise.resolve([]),
      documentsOf: () => Promise.resolve(undefined),
    },
    token: 'of-the-page',
    ...apiAccess({ viewer: 'a-viewer', admin: 'the-admin' }),
    logger: silentLogger,
  })
}

const ask = (app: FastifyInstance, url: string, headers: Readonly<Record<string, string>> = {}) =>
  app.inject({ url, headers })

describe('the dashboard', () => {
  it('serves its page to anybody on loopback, under a policy that lets nothing else in', async () => {
    const app = serving()
    const page = await ask(app, '/')
    expect(page.statusCode).toBe(200)
    expect(page.headers['cache-control']).toBe('no-store')
    expect(page.headers['content-security-policy']).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self'; /,
    )
    expect(page.headers['content-security-policy']).not.toContain('unsafe')
    const script = await ask(app, '/assets/page-1a2b.js', { 'accept-encoding': 'gzip' })
    expect(script.headers['cache-control']).toContain('immutable')
    expect(gunzipSync(script.rawPayload).toString()).toBe('let page')
    expect((await ask(app, '/assets/page-1a2b.js')).body).toBe('let page')
  })

  it.each(['/index.html', '/assets/', '/assets/../package.json', '/%2e%2e/package.json', '/v1/mesh'])(
    'has nothing at %s',
    async (url) => {
      const { statusCode } = await ask(serving(), url, { authorization: 'Bearer the-admin' })
      expect(statusCode).toBe(404)
    },
  )

  it('says nothing of the mesh without a token, and something with its own or one of the API', async () => {
    const app = serving()
    expect((await ask(app, '/v1/topology')).statusCode).toBe(401)
    expect((await ask(app, '/v1/topology', { authorization: 'Bearer wrong' })).statusCode).toBe(401)
    for (const token of ['of-the-page', 'a-viewer', 'the-admin']) {
      const answer = await ask(app, '/v1/topology', { authorization: `Bearer ${token}` })
      expect(answer.statusCode, token).toBe(200)
      expect(answer.headers['cache-control']).toBe('no-store')
    }
  })

  it('cannot change anything', async () => {
    const app = serving()
    for (const method of ['PUT', 'POST', 'DELETE'] as const) {
      const answer = await app.inject({ method, url: '/v1/documents', headers: { authorization: 'Bearer the-admin' } })
      expect(answer.statusCode).toBe(404)
    }
  })

  it.each([{ host: 'evil.example' }, { origin: 'http://evil.example' }, { 'sec-fetch-site': 'cross-site' }])(
    'refuses whoever comes with %j',
    async (headers) => {
      for (const url of ['/', '/v1/topology']) {
        const answer = await ask(serving(), url, { authorization: 'Bearer of-the-page', ...headers })
        expect(answer.statusCode).toBe(403)
      }
    },
  )
})
