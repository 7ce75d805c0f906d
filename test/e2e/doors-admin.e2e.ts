// The doors of a proxy's admin and metrics ports over real sockets: for each an attack that is refused, and the ordinary use that is served.
import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { describe, it, type TestContext } from 'node:test'

import { systemClock } from '../../src/core/clock.ts'
import { createAdminServer, createMetricsServer } from '../../src/proxy/admin/admin-server.ts'
import { Tap } from '../../src/proxy/telemetry/tap.ts'
import { configOf } from '../kit/request-line.ts'

const token = 'the-token'
const authorization = `Bearer ${token}`

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

interface Ports {
  readonly admin: string
  readonly metrics: string
}

async function start(t: TestContext): Promise<Ports> {
  const admin = await createAdminServer({
    address: '127.0.0.1:0',
    token,
    clock: systemClock,
    isReady: () => true,
    config: () => configOf({}, '7'),
    listening: () => new Map(),
    svid: () => undefined,
    clusters: () => ({}),
    stats: () => ({ requests: 3 }),
    plaintextCallers: () => [],
    tap: new Tap(),
  })
  const metrics = await createMetricsServer({
    address: '127.0.0.1:0',
    pages: { '/metrics': () => ({ type: 'text/plain', body: 'heddle_requests_total 3\n' }) },
  })
  t.after(() => Promise.all([admin.stop(), metrics.stop()]))
  return { admin: admin.address, metrics: metrics.address }
}

function ask(address: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const [host, port] = address.split(':')
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ host, port, path, headers, agent: false }, (incoming) => {
      const answer = { status: incoming.statusCode ?? 0, headers: incoming.headers }
      // the tap has no end
      if (path.startsWith('/tap')) {
        outgoing.destroy()
        return resolve({ ...answer, body: '' })
      }
      let body = ''
      incoming.setEncoding('utf8').on('data', (part: string) => (body += part))
      incoming.on('end', () => resolve({ ...answer, body }))
    })
    outgoing.on('error', reject)
    if (headers['content-length'] === undefined) outgoing.end()
    else outgoing.end('x')
  })
}

const doors = [
  ['admin', '/stats'],
  ['admin', '/config_dump'],
  ['admin', '/plaintext_callers'],
  ['admin', '/tap'],
  ['admin', '/ready'],
  ['metrics', '/metrics'],
  ['metrics', '/healthz'],
] as const

describe('a web page', () => {
  for (const [door, path] of doors)
    it(`is refused by ${door} ${path}, even with the token, and an ordinary caller is served`, async (t) => {
      const address = (await start(t))[door]
      const [, port] = address.split(':')
      for (const attack of [
        { host: `rebound.example:${port}` },
        { host: `rebound.example:${port}`, origin: `http://rebound.example:${port}` },
        { origin: 'http://evil.example' },
        { origin: 'http://127.0.0.1:3000' },
        { 'sec-fetch-site': 'cross-site' },
      ]) {
        const { status, body } = await ask(address, path, { authorization, ...attack })
        assert.equal(status, 403, JSON.stringify(attack))
        assert.doesNotMatch(body, /requests|revision|ready/)
      }
      for (const host of [address, `localhost:${port}`])
        assert.equal((await ask(address, path, { authorization, host })).status, 200)
    })
})

it('a token that is wrong too often gets 429, and the right one still serves', async (t) => {
  const { admin } = await start(t)
  const statuses: number[] = []
  for (let tries = 0; tries < 32; tries++)
    statuses.push((await ask(admin, '/stats', { authorization: `Bearer guess-${tries}` })).status)
  assert.deepEqual(statuses, [...Array<number>(30).fill(401), 429, 429])
  assert.ok(Number((await ask(admin, '/stats')).headers['retry-after']) > 0)
  assert.equal((await ask(admin, '/stats', { authorization })).status, 200)
})

describe('a request with a body', () => {
  for (const [door, path] of doors)
    for (const headers of [{ 'content-length': '1' }, { 'transfer-encoding': 'chunked' }])
      it(`of ${Object.keys(headers).join('')} is refused by ${door} ${path}, and its connection closed`, async (t) => {
        const answer = await ask((await start(t))[door], path, { authorization, ...headers })
        assert.equal(answer.status, 413)
        assert.equal(answer.headers['connection'], 'close')
      })
})

describe('each answer', () => {
  for (const [door, path] of [...doors, ['admin', '/nothing'], ['metrics', '/nothing']] as const)
    it(`of ${door} ${path} tells browsers to do nothing with it`, async (t) => {
      const address = (await start(t))[door]
      for (const headers of [{ authorization }, {}, { origin: 'http://evil.example' }]) {
        const answer = await ask(address, path, headers)
        assert.equal(answer.headers['x-content-type-options'], 'nosniff')
        assert.equal(answer.headers['cache-control'], 'no-store')
        assert.match(String(answer.headers['content-security-policy']), /^default-src 'none'/)
        assert.equal(answer.headers['access-control-allow-origin'], undefined)
      }
    })
})
