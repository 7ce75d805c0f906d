// The doors of the control-plane API over real sockets: for each an attack that is refused, and the ordinary use that is served.
import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { describe, it, type TestContext } from 'node:test'

import type { ApiRole, ApplyResult } from '../../src/contracts/control-api.ts'
import { startControlApi } from '../../src/control/api/control-api.ts'
import { WorkloadStatuses } from '../../src/control/api/workload-statuses.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { WatchableValue } from '../../src/core/watchable.ts'
import { apiAccess, type ApiAccess } from '../kit/api-access.ts'

const tokens = { viewer: 'the-viewer', operator: 'the-operator', admin: 'the-admin' } as const

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

interface Question {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

interface Api extends Pick<ApiAccess, 'entries'> {
  readonly url: URL
  readonly ask: (question: Question) => Promise<Answer>
}

async function start(t: TestContext): Promise<Api> {
  const access = apiAccess(tokens)
  let revision = 7
  const applied: ApplyResult = {
    revision: '8',
    problems: [],
    documents: [
      { kind: 'Secret', namespace: 'default', name: 'key', action: 'created', after: { data: 'c2VjcmV0' } },
      { kind: 'Service', namespace: 'default', name: 'same', action: 'unchanged' },
    ],
  }
  const api = await startControlApi(
    {
      ...access,
      clock: systemClock,
      logger: silentLogger,
      revision: () => String(revision),
      desired: new WatchableValue({ revision: '7', sidecars: [] }),
      mesh: () => ({
        adminUrl: 'u',
        adminToken: tokens.admin,
        xdsAddress: 'x',
        revision: '7',
        gateways: [],
        workloads: [],
      }),
      problems: () => [],
      proxies: () => [],
      routesOf: () => undefined,
      documents: {
        list: () => [],
        apply(_, { dryRun }) {
          if (!dryRun) revision++
          return Promise.resolve(applied)
        },
        delete: () => Promise.resolve(applied),
      },
      joinTokens: {
        create: () =>
          Promise.resolve({ id: '1f0c9a3be742', token: 'a-join-token', spiffeId: webSpiffeId, expiresAtMs: 1 }),
        list: () => Promise.resolve({ tokens: [], refusals: {} }),
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
    },
    '127.0.0.1',
    0,
  )
  t.after(() => api.stop())
  const url = new URL(api.url)
  return { url, entries: access.entries, ask: (question) => ask(url, question) }
}

function ask(url: URL, { method = 'GET', path = '/v1/mesh', headers = {}, body }: Question): Promise<Answer> {
  const { hostname: host, port } = url
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ host, port, method, path, headers, agent: false }, (incoming) => {
      let text = ''
      incoming.setEncoding('utf8').on('data', (part: string) => (text += part))
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text }))
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

const bearer = (role: ApiRole) => ({ authorization: `Bearer ${tokens[role]}` })
const yaml = { 'content-type': 'application/yaml' }
const json = { 'content-type': 'application/json' }
const webSpiffeId = 'spiffe://mesh.local/ns/default/sa/web'
const forWeb = JSON.stringify({ kind: 'sidecar', namespace: 'default', name: 'web' })

describe('a web page', () => {
  const attacks: readonly (readonly [string, (port: string) => Record<string, string>])[] = [
    ['whose name was made to lead here', (port) => ({ host: `rebound.example:${port}` })],
    [
      'whose name was made to lead here, as its own origin',
      (port) => ({
        host: `rebound.example:${port}`,
        origin: `http://rebound.example:${port}`,
      }),
    ],
    ['of another origin', () => ({ origin: 'http://evil.example' })],
    ['of another port of this machine', () => ({ origin: 'http://127.0.0.1:3000' })],
    ['in a sandbox', () => ({ origin: 'null' })],
    ['that embeds it', () => ({ 'sec-fetch-site': 'cross-site' })],
  ]
  for (const path of ['/v1/mesh', '/v1/healthz', '/metrics'])
    for (const [name, headers] of attacks)
      it(`${name} is refused, even with a token, at ${path}`, async (t) => {
        const { url, ask: send } = await start(t)
        const answer = await send({ path, headers: { ...bearer('admin'), ...headers(url.port) } })
        assert.equal(answer.status, 403)
        assert.doesNotMatch(answer.body, /the-admin|revision|heddle_/)
      })

  for (const host of ['127.0.0.1', 'localhost'])
    it(`is none that asks by ${host} without an origin, or with ours`, async (t) => {
      const { url, ask: send } = await start(t)
      const at = `${host}:${url.port}`
      for (const headers of [{ host: at }, { host: at, origin: `http://${at}` }])
        assert.equal((await send({ headers: { ...bearer('admin'), ...headers } })).status, 200)
    })
})

describe('a token', () => {
  for (const authorization of ['', 'Bearer', 'Bearer ', 'Bearer the-admi', 'Bearer the-admin2', 'Basic the-admin'])
    it(`"${authorization}" is nobody's`, async (t) => {
      const { ask: send, entries } = await start(t)
      const { status, body } = await send({ headers: authorization === '' ? {} : { authorization } })
      assert.equal(status, 401)
      assert.doesNotMatch(body, /the-/)
      assert.deepEqual(entries, [])
    })

  it('that is wrong too often gets 429, and the right one still serves', async (t) => {
    const { ask: send } = await start(t)
    const statuses: number[] = []
    for (let tries = 0; tries < 32; tries++)
      statuses.push((await send({ headers: { authorization: `Bearer guess-${tries}` } })).status)
    assert.deepEqual(statuses, [...Array<number>(30).fill(401), 429, 429])
    const { headers } = await send({})
    assert.ok(Number(headers['retry-after']) > 0)
    assert.equal((await send({ headers: bearer('viewer') })).status, 200)
  })
})

describe('a role', () => {
  const document = '/v1/documents/Service/default/a'
  const table: readonly (readonly [Question, Readonly<Record<ApiRole, number>>])[] = [
    [{ path: '/v1/mesh' }, { viewer: 200, operator: 200, admin: 200 }],
    [{ path: '/v1/problems' }, { viewer: 200, operator: 200, admin: 200 }],
    [{ path: '/v1/proxies' }, { viewer: 200, operator: 200, admin: 200 }],
    [{ path: '/v1/workloads/default/web/routes/a:80' }, { viewer: 404, operator: 404, admin: 404 }],
    [{ path: '/v1/documents' }, { viewer: 200, operator: 200, admin: 200 }],
    [{ path: document }, { viewer: 404, operator: 404, admin: 404 }],
    [{ path: '/v1/workload-statuses' }, { viewer: 200, operator: 200, admin: 200 }],
    [{ path: '/v1/nothing' }, { viewer: 404, operator: 404, admin: 404 }],
    [
      { method: 'PUT', path: '/v1/documents', headers: yaml, body: 'a: 1' },
      { viewer: 403, operator: 200, admin: 200 },
    ],
    [
      { method: 'DELETE', path: document },
      { viewer: 403, operator: 200, admin: 200 },
    ],
    // what applications are started with
    [{ path: '/v1/desired' }, { viewer: 403, operator: 403, admin: 200 }],
    [
      { method: 'POST', path: '/v1/join-tokens', headers: json, body: forWeb },
      { viewer: 403, operator: 403, admin: 200 },
    ],
    [{ path: '/v1/join-tokens' }, { viewer: 403, operator: 403, admin: 200 }],
    [
      { method: 'DELETE', path: '/v1/join-tokens/1f0c9a3be742' },
      { viewer: 403, operator: 403, admin: 204 },
    ],
    [
      { method: 'PUT', path: '/v1/workload-statuses', headers: json, body: '{"workloads":[]}' },
      { viewer: 403, operator: 403, admin: 204 },
    ],
    [{ path: '/v1/tokens' }, { viewer: 403, operator: 403, admin: 200 }],
    [
      { method: 'POST', path: '/v1/tokens', headers: json, body: '{"name":"ci","role":"admin"}' },
      { viewer: 403, operator: 403, admin: 201 },
    ],
    [
      { method: 'DELETE', path: '/v1/tokens/ci' },
      { viewer: 403, operator: 403, admin: 404 },
    ],
  ]
  for (const [question, expected] of table)
    it(`is asked for by ${question.method ?? 'GET'} ${question.path}`, async (t) => {
      const { ask: send } = await start(t)
      for (const role of ['viewer', 'operator', 'admin'] as const) {
        const answer = await send({ ...question, headers: { ...question.headers, ...bearer(role) } })
        assert.equal(answer.status, expected[role], role)
      }
    })

  it('below admin does not see the token of the mesh', async (t) => {
    const { ask: send } = await start(t)
    const seen = []
    for (const role of ['viewer', 'operator', 'admin'] as const)
      seen.push((JSON.parse((await send({ headers: bearer(role) })).body) as { adminToken: string }).adminToken)
    assert.deepEqual(seen, ['', '', 'the-admin'])
  })

  for (const body of [
    '{}',
    '{"name":"Upper","role":"viewer"}',
    '{"name":"admin-token","role":"viewer"}',
    '{"name":"ci","role":"root"}',
    '{"name":["ci"],"role":"viewer"}',
    'null',
  ])
    it(`is not made of ${body}`, async (t) => {
      const { ask: send } = await start(t)
      const headers = { ...bearer('admin'), ...json }
      assert.equal((await send({ method: 'POST', path: '/v1/tokens', headers, body })).status, 400)
    })
})

describe('what is sent', () => {
  const form = 'application/x-www-form-urlencoded'
  const table: readonly (readonly [string, string, string | undefined, number])[] = [
    ['POST', '/v1/join-tokens', undefined, 415],
    ['POST', '/v1/join-tokens', 'text/plain', 415],
    ['POST', '/v1/join-tokens', form, 415],
    ['POST', '/v1/join-tokens', 'multipart/form-data; boundary=x', 415],
    ['POST', '/v1/join-tokens', 'application/yaml', 415],
    ['POST', '/v1/join-tokens', 'application/json', 200],
    ['POST', '/v1/join-tokens', 'Application/JSON; charset=utf-8', 200],
    ['PUT', '/v1/documents', undefined, 415],
    ['PUT', '/v1/documents', 'text/plain', 415],
    ['PUT', '/v1/documents', form, 415],
    ['PUT', '/v1/documents', 'application/json', 415],
    ['PUT', '/v1/documents', 'application/yaml', 200],
    ['PUT', '/v1/documents', 'text/yaml; charset=utf-8', 200],
  ]
  for (const [method, path, type, status] of table)
    it(`as ${type ?? 'nothing in particular'} to ${path} gets ${status}`, async (t) => {
      const { ask: send } = await start(t)
      const headers = { ...bearer('admin'), ...(type === undefined ? {} : { 'content-type': type }) }
      assert.equal((await send({ method, path, headers, body: forWeb })).status, status)
    })

  for (const [path, type, mebibytes, status] of [
    ['/v1/workload-statuses', json, 1, 413],
    ['/v1/documents', yaml, 2, 200],
    ['/v1/documents', yaml, 16, 413],
  ] as const)
    it(`${mebibytes} MiB and a little to ${path} gets ${status}`, async (t) => {
      const { ask: send } = await start(t)
      const body = ' '.repeat(mebibytes * 1024 * 1024 + 1)
      assert.equal((await send({ method: 'PUT', path, headers: { ...bearer('admin'), ...type }, body })).status, status)
    })
})

describe('each answer', () => {
  for (const [path, headers, status] of [
    ['/v1/mesh', bearer('viewer'), 200],
    ['/v1/healthz', {}, 200],
    ['/metrics', {}, 200],
    ['/v1/mesh', {}, 401],
    ['/v1/tokens', bearer('viewer'), 403],
    ['/v1/nothing', bearer('viewer'), 404],
  ] as const)
    it(`of ${status} to ${path} tells browsers to do nothing with it`, async (t) => {
      const { ask: send } = await start(t)
      const answer = await send({ path, headers })
      assert.equal(answer.status, status)
      assert.equal(answer.headers['x-content-type-options'], 'nosniff')
      assert.equal(answer.headers['cache-control'], 'no-store')
      assert.match(String(answer.headers['content-security-policy']), /^default-src 'none'/)
      assert.equal(answer.headers['access-control-allow-origin'], undefined)
    })
})

describe('the audit log', () => {
  it('leaves nothing out that only says it would change nothing', async (t) => {
    const { ask: send, entries } = await start(t)
    const headers = { ...bearer('admin'), ...json }
    const token = { method: 'POST', path: '/v1/tokens?dryRun=true', headers, body: '{"name":"ci","role":"admin"}' }
    assert.equal((await send(token)).status, 201)
    assert.equal(entries.length, 1)
  })

  it('has each change, by whom and from where, and nothing that is secret', async (t) => {
    const { ask: send, entries } = await start(t)
    const write = { method: 'PUT', path: '/v1/documents', body: 'password: c2VjcmV0' }
    await send({ ...write, headers: { ...bearer('operator'), ...yaml } })
    await send({ ...write, headers: { ...bearer('viewer'), ...yaml } })
    await send({ method: 'POST', path: '/v1/join-tokens', headers: { ...bearer('admin'), ...json }, body: forWeb })
    const body = '{"name":"ci","role":"viewer"}'
    await send({ method: 'POST', path: '/v1/tokens', headers: { ...bearer('admin'), ...json }, body })
    const from = '127.0.0.1'
    assert.deepEqual(entries, [
      {
        role: 'operator',
        token: 'operator',
        from,
        request: 'PUT /v1/documents',
        status: 200,
        changes: [{ object: 'Secret/default/key', action: 'created' }],
        revisionBefore: '7',
        revisionAfter: '8',
      },
      {
        role: 'viewer',
        token: 'viewer',
        from,
        request: 'PUT /v1/documents',
        status: 403,
        changes: [],
        revisionBefore: '8',
        revisionAfter: '8',
      },
      {
        role: 'admin',
        token: 'admin',
        from,
        request: 'POST /v1/join-tokens',
        status: 200,
        changes: [
          {
            object: 'join-token/1f0c9a3be742',
            action: `created for sidecar default/web (${webSpiffeId}), once`,
          },
        ],
        revisionBefore: '8',
        revisionAfter: '8',
      },
      {
        role: 'admin',
        token: 'admin',
        from,
        request: 'POST /v1/tokens',
        status: 201,
        changes: [{ object: 'token/ci', action: 'created for role viewer' }],
        revisionBefore: '8',
        revisionAfter: '8',
      },
    ])
    assert.doesNotMatch(JSON.stringify(entries), /c2VjcmV0|a-new-token|a-join-token|the-/)
  })

  it('has no reading, no dry run, and not what the supervisor says every few moments', async (t) => {
    const { ask: send, entries } = await start(t)
    await send({ headers: bearer('admin') })
    const path = '/v1/documents?dryRun=true'
    await send({ method: 'PUT', path, headers: { ...bearer('operator'), ...yaml }, body: 'a: 1' })
    const statuses = { method: 'PUT', path: '/v1/workload-statuses', body: '{"workloads":[]}' }
    await send({ ...statuses, headers: { ...bearer('admin'), ...json } })
    assert.deepEqual(entries, [])
  })
})
