// How one place is asked whether it works: HTTP, grpc.health.v1 and TCP on real sockets, and every way of not answering.
import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { after, before, describe, it } from 'node:test'

import type { HealthQuestion } from '../../src/contracts/health-check.ts'
import { systemClock } from '../../src/core/clock.ts'
import { askHealth } from '../../src/proxy/cluster/ask-health.ts'
import { createIoBackend } from '../../src/proxy/io/create-io-backend.ts'
import { startGrpcApplication, type GrpcApplication } from '../kit/grpc-application.ts'
import { freePort } from '../kit/request-line.ts'

const timeoutMs = 300
const ok = [{ start: 200, end: 400 }]
const servers: Server[] = []
const asked: string[] = []
let web: number
let mute: number
let rude: number
let calls: GrpcApplication

async function listening(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

before(async () => {
  web = await listening(
    createHttpServer((request, response) => {
      asked.push([request.method, request.headers.host, request.headers['x-probe']].join(' '))
      if (request.url === '/hang') return
      response.writeHead(Number(request.url?.slice(1))).end('fine')
    }),
  )
  mute = await listening(createServer(() => {}))
  rude = await listening(createServer((socket) => socket.destroy()))
  calls = await startGrpcApplication(0, 'calls')
})

after(() => {
  for (const server of servers) server.close()
  calls.stop()
})

const get = (path: string): HealthQuestion => ({ kind: 'http', path, headers: [], statuses: ok })
const check = (service: string): HealthQuestion => ({ kind: 'grpc', service })

for (const choice of ['raw', 'net'] as const) {
  describe(`with the ${choice} back end`, () => {
    const { io } = createIoBackend(systemClock, choice)
    const ask = (port: number, question: HealthQuestion): Promise<string | undefined> => {
      const spec = { question, intervalMs: 1_000, timeoutMs, healthyThreshold: 1, unhealthyThreshold: 1 }
      const connect = () => io.connect({ host: '127.0.0.1', port, timeoutMs })
      return askHealth(systemClock, spec, { address: `127.0.0.1:${port}`, secured: false, protocol: 'http1', connect })
    }

    it('takes a status of success or a redirect for good, and no other', async () => {
      assert.equal(await ask(web, get('/200')), undefined)
      assert.equal(await ask(web, get('/302')), undefined)
      assert.equal(await ask(web, get('/404')), 'status 404')
      assert.equal(await ask(web, get('/503')), 'status 503')
    })

    it('sends the host and the headers it is told', async () => {
      const headers = [{ name: 'x-probe', value: 'yes' }]
      assert.equal(
        await ask(web, { kind: 'http', path: '/200', host: 'own.example', headers, statuses: ok }),
        undefined,
      )
      assert.equal(asked.at(-1), 'GET own.example yes')
    })

    it('asks grpc.health.v1 for the server and for a service', async () => {
      assert.equal(await ask(calls.port, check('')), undefined)
      assert.equal(await ask(calls.port, check('calls.Calls')), undefined)
      assert.match((await ask(calls.port, check('nothing'))) ?? '', /^grpc-status 5: unknown service$/)
    })

    it('takes a connection for good', async () => {
      assert.equal(await ask(mute, { kind: 'tcp' }), undefined)
      assert.match((await ask(await freePort(), { kind: 'tcp' })) ?? '', /ECONNREFUSED/)
    })

    it('waits no longer than it is told', async () => {
      assert.equal(await ask(web, get('/hang')), `no answer within ${timeoutMs} ms`)
      assert.equal(await ask(mute, check('')), `no answer within ${timeoutMs} ms`)
    })

    it('takes a connection that is closed, or speaks otherwise, for bad', async () => {
      for (const question of [get('/200'), check('')]) assert.ok((await ask(rude, question)) !== undefined)
      assert.ok((await ask(web, check(''))) !== undefined)
      assert.ok((await ask(calls.port, get('/200'))) !== undefined)
    })
  })
}
