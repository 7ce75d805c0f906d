import type { FastifyInstance } from 'fastify'
import { describe, expect, it } from 'vitest'

import { apiAccess } from '../../../test/kit/api-access.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { DesiredState } from '../../contracts/desired-state.ts'
import { silentLogger } from '../../core/logger.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { DocumentsPort } from './control-api-deps.ts'
import { buildControlApi } from './control-api.ts'
import { WorkloadStatuses } from './workload-statuses.ts'

const token = 'the-token'
const authorization = `Bearer ${token}`
const json = 'application/json'

interface Api {
  /** What join tokens were asked for. */
  readonly grants: readonly unknown[]
  readonly app: FastifyInstance
  readonly clock: ManualClock
  readonly desired: WatchableValue<DesiredState>
}

function createApi(documents: Partial<DocumentsPort> = {}): Api {
  const clock = new ManualClock()
  const desired = new WatchableValue<DesiredState>({ revision: '1', sidecars: [] })
  const grants: unknown[] = []
  const app = buildControlApi({
    clock,
    logger: silentLogger,
    ...apiAccess({ admin: token }),
    revision: () => desired.value.revision,
    desired,
    mesh: () => ({ adminUrl: 'u', adminToken: token, xdsAddress: 'x', revision: '1', gateways: [], workloads: [] }),
    problems: () => [],
    proxies: () => [],
    routesOf: (namespace, name, routes) =>
      `${namespace}/${name} ${routes}` === 'default/web api.example:80' ? Buffer.from('routes') : undefined,
    documents: {
      list: () => [],
      apply: () => Promise.resolve({ revision: '1', documents: [], problems: [] }),
      delete: () => Promise.resolve(undefined),
      ...documents,
    },
    joinTokens: {
      create(grant) {
        grants.push(grant)
        const spiffeId = `spiffe://mesh.local/ns/default/sa/${grant.name}`
        if (grant.name !== 'web') return Promise.resolve(undefined)
        return Promise.resolve({ id: '1f0c9a3be742', token: 'a-join-token', spiffeId, expiresAtMs: 5 })
      },
      list: () => Promise.resolve({ tokens: [], refusals: { expired: 2 } }),
      revoke: (id) => Promise.resolve(id === '1f0c9a3be742'),
    },
    workloadStatuses: new WorkloadStatuses(),
    registerReadApi: () => undefined,
    renderMetrics: () => 'heddle_revocations 0\n',
    authority: {
      status: () => ({ trustDomain: 'mesh.local', certificates: [], revocations: [], jwtKeys: [] }),
      bundle: () => ({ keys: [], spiffe_sequence: 1, spiffe_refresh_hint: 300 }),
      start: () => Promise.resolve(),
      revoke: () => {
        throw new Error('it is no identity')
      },
      rotateJwtKey: () => undefined,
    },
  })
  return { app, clock, desired, grants }
}

describe('control-plane API', () => {
  it.each([undefined, 'Bearer wrong', 'the-token', 'Basic the-token'])(
    'refuses the authorization %s',
    async (value) => {
      const { app } = createApi()
      const headers = value === undefined ? {} : { authorization: value }
      const answer = await app.inject({ url: '/v1/mesh', headers })
      expect(answer.statusCode).toBe(401)
      expect(answer.json()).toMatchObject({ code: 'unauthorized' })
      expect(answer.body).not.toContain(token)
    },
  )

  it('tells anybody that it is healthy, and nothing else', async () => {
    const answer = await createApi().app.inject({ url: '/v1/healthz' })
    expect(answer.json()).toEqual({ status: 'ok', revision: '1' })
  })

  it('answers what it does not know with an error that says so', async () => {
    const { app } = createApi()
    expect((await app.inject({ url: '/v1/nothing', headers: { authorization } })).json()).toMatchObject({
      code: 'not-found',
    })
    const missing = await app.inject({ url: '/v1/documents/Service/default/a', headers: { authorization } })
    expect(missing.statusCode).toBe(404)
    expect(missing.json()).toMatchObject({ message: 'no Service default/a' })
  })

  it('gives the routes that the sidecar of a workload gets', async () => {
    const { app } = createApi()
    const ask = (name: string) =>
      app.inject({ url: `/v1/workloads/default/${name}/routes/api.example%3A80`, headers: { authorization } })
    expect((await ask('web')).json()).toEqual({ body: Buffer.from('routes').toString('base64') })
    expect((await ask('other')).statusCode).toBe(404)
  })

  it('gives the desired state at once to whoever has another revision', async () => {
    const answer = await createApi().app.inject({ url: '/v1/desired?after=0', headers: { authorization } })
    expect(answer.json()).toMatchObject({ revision: '1' })
  })

  it('holds a poll until the revision changes', async () => {
    const { app, desired } = createApi()
    const poll = app.inject({ url: '/v1/desired?after=1', headers: { authorization } })
    await app.inject({ url: '/v1/healthz' })
    desired.set({ revision: '2', sidecars: [] })
    expect((await poll).json()).toMatchObject({ revision: '2' })
  })

  it('ends a poll without a change after a while', async () => {
    const { app, clock } = createApi()
    const poll = app.inject({ url: '/v1/desired?after=1', headers: { authorization } })
    await app.inject({ url: '/v1/healthz' })
    clock.advance(25_000)
    expect((await poll).json()).toMatchObject({ revision: '1' })
    expect(clock.pendingCount).toBe(0)
  })

  it('makes join tokens for proxies of the mesh, used and valid within bounds', async () => {
    const { app, grants } = createApi()
    const ask = async (more: object): Promise<number> => {
      const headers = { authorization, 'content-type': json }
      const payload = JSON.stringify({ kind: 'sidecar', namespace: 'default', name: 'web', ...more })
      return (await app.inject({ method: 'POST', url: '/v1/join-tokens', headers, payload })).statusCode
    }
    expect(await ask({})).toBe(200)
    expect(await ask({ uses: 100, ttl: '24h' })).toBe(200)
    const web = { kind: 'sidecar', namespace: 'default', name: 'web' }
    expect(grants).toEqual([
      { ...web, uses: 1, ttlMs: 600_000 },
      { ...web, uses: 100, ttlMs: 86_400_000 },
    ])
    expect(await ask({ name: 'nobody' })).toBe(404)
    const bad = [
      { uses: 0 },
      { uses: 101 },
      { uses: 1.5 },
      { uses: '1' },
      { ttl: '24h1s' },
      { ttl: '0s' },
      { ttl: 600 },
    ]
    for (const more of [...bad, { ttl: 'soon' }, { kind: 'other' }, { name: 7 }]) expect(await ask(more)).toBe(400)
  })

  it('lists join tokens and what was refused, and revokes one', async () => {
    const { app } = createApi()
    const headers = { authorization }
    expect((await app.inject({ url: '/v1/join-tokens', headers })).json()).toEqual({
      tokens: [],
      refusals: { expired: 2 },
    })
    const revoke = async (id: string): Promise<number> =>
      (await app.inject({ method: 'DELETE', url: `/v1/join-tokens/${id}`, headers })).statusCode
    expect(await revoke('1f0c9a3be742')).toBe(204)
    expect(await revoke('000000000000')).toBe(404)
  })

  it('shows what the supervisor says about failing workloads as problems', async () => {
    const { app } = createApi()
    const workloads = [
      {
        kind: 'sidecar',
        namespace: 'default',
        name: 'a',
        state: 'failing',
        restarts: 2,
        message: 'exited with status 3',
        lastLines: ['no database'],
      },
      { kind: 'sidecar', namespace: 'default', name: 'b', state: 'ready', restarts: 0 },
    ]
    const put = { method: 'PUT', url: '/v1/workload-statuses' } as const
    const headers = { authorization, 'content-type': json }
    expect((await app.inject({ ...put, headers, payload: JSON.stringify({ workloads }) })).statusCode).toBe(204)
    const { problems } = (await app.inject({ url: '/v1/problems', headers: { authorization } })).json<{
      problems: object[]
    }>()
    expect(problems).toMatchObject([{ code: 'HDL014', document: 'Workload/default/a' }])
    expect(JSON.stringify(problems)).toContain('no database')
  })

  it('applies YAML, and says 422 when it has errors', async () => {
    const seen: unknown[] = []
    const { app } = createApi({
      apply: (yaml, options) => {
        seen.push(yaml, options)
        return Promise.resolve({
          revision: '1',
          documents: [],
          problems: [{ code: 'HDL004', severity: 'error', message: 'unknown field' }],
        })
      },
    })
    const headers = { authorization, 'content-type': 'application/yaml' }
    const answer = await app.inject({ method: 'PUT', url: '/v1/documents?dryRun=true', headers, payload: 'kind: X' })
    expect(answer.statusCode).toBe(422)
    expect(seen).toEqual(['kind: X', { dryRun: true, mayRunPrograms: true }])
  })

  it('says what is wrong with a body it cannot read', async () => {
    const headers = { authorization, 'content-type': json }
    const answer = await createApi().app.inject({
      method: 'POST',
      url: '/v1/join-tokens',
      headers,
      payload: '{"spiffe',
    })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ code: 'bad-request' })
  })
})
