// A certificate that is revoked ends what was opened with it, at both ends, on both I/O back ends, for requests and for opaque bytes.
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { systemClock } from '../../src/core/clock.ts'
import { loadStreamBindings } from '../../src/core/stream-bindings.ts'
import { createNetBackend } from '../../src/proxy/io/net-backend.ts'
import { createRawBackend } from '../../src/proxy/io/raw-backend.ts'
import { send } from '../kit/http-client.ts'
import type { TestLine } from '../kit/request-line.ts'
import { startSidecarPair } from '../kit/sidecar-pair.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const reviews = 'spiffe://mesh.local/ns/default/sa/reviews'
const authority = testAuthority()
let application: Server
/** Answers that wait until they are let go. */
const held: (() => void)[] = []

before(async () => {
  application = createServer((request, response) => {
    const answer = (): void => void response.end('here')
    if (request.url === '/held') held.push(answer)
    else answer()
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
})

after(() => {
  application.closeAllConnections()
  application.close()
  authority.remove()
})

function revoke(line: TestLine, version: number, spiffeId: string, notBeforeMs: number): void {
  line.revoked.set({ version, notBeforeMs: { [spiffeId]: notBeforeMs } })
}

describe('a revoked certificate', () => {
  for (const [name, createIo] of [
    ['net', () => createNetBackend(systemClock)],
    ['raw', () => createRawBackend(systemClock, loadStreamBindings())],
  ] as const) {
    describe(`on the ${name} back end`, () => {
      for (const [side, revokedId] of [
        ['server', web],
        ['client', reviews],
      ] as const) {
        it(`is refused by the ${side} in new handshakes and on open connections`, async () => {
          const { port } = application.address() as AddressInfo
          const pair = await startSidecarPair({ authority, applicationPort: port, io: createIo() })
          try {
            const call = async (path = '/'): Promise<number> =>
              (await send({ address: `127.0.0.1:${pair.port}`, target: path })).status
            assert.equal(await call(), 200)
            const open = call('/held')
            await until('the request at the application', () => held.length === 1)
            const upTo = Date.now()
            revoke(pair[side], 1, revokedId, upTo - 3_600_000)
            held.splice(0)[0]?.()
            assert.equal(await open, 200, 'younger certificates are not meant')
            assert.equal(pair.client.upstreamConnections(), 1, 'nothing was closed')

            const cut = call('/held')
            await until('the request at the application', () => held.length === 1)
            revoke(pair[side], 2, revokedId, upTo)
            assert.equal(await cut, 503)
            held.splice(0)[0]?.()
            assert.equal(await call(), 503)
            const reason = side === 'server' ? pair.server.refused.join() : pair.client.exchanges.at(-1)?.detail
            assert.match(String(reason), new RegExp(`the certificate of ${revokedId} was revoked`))

            // it joined anew: later by a second at least
            revoke(pair[side], 3, revokedId, upTo - 3_600_000)
            assert.equal(await call(), 200)
          } finally {
            await pair.stop()
          }
        })
      }
    })
  }
})
