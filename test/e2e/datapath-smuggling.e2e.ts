// Requests that parsers disagree about: whatever comes in, the application reads nothing or exactly what the proxy decided about.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { createRandom } from '../../src/core/random.ts'
import { smugglingCases } from '../fuzz/corpus/smuggling.ts'
import { mutate } from '../fuzz/mutate.ts'
import { type RecordingOrigin, startRecordingOrigin } from '../fuzz/recording-origin.ts'
import { readRequests } from '../fuzz/strict-reader.ts'
import { send } from '../kit/http-client.ts'
import { rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { until } from '../kit/until.ts'

let port: number
let test: TestLine
let origin: RecordingOrigin

before(async () => {
  origin = await startRecordingOrigin()
  port = await freePort()
  test = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', [{ port: origin.port }])],
    }),
  )
})

after(async () => {
  await test.line.stop()
  origin.close()
})

/** Everything the caller gets for these bytes, after which it ends its side. */
async function say(bytes: string): Promise<string> {
  const client = await rawClient(port)
  client.socket.end(Buffer.from(bytes, 'latin1'))
  const answer = await client.closed()
  client.socket.destroy()
  return answer
}

/** Request lines that the application read, and whether bytes of another request are there. */
function applicationRead(): { lines: string[]; rest: boolean } {
  const readings = origin.received().map((text) => readRequests(text))
  return {
    lines: readings.flatMap(({ requests }) => requests.map(({ method, target }) => `${method} ${target}`)),
    rest: readings.some(({ rest }) => rest !== ''),
  }
}

/** The next request gets its own answer: nothing is left over on any connection. */
async function probe(path: string): Promise<void> {
  const response = await send({ address: `127.0.0.1:${port}`, target: path, method: 'POST', body: 'abc' })
  assert.equal(response.body, `POST ${path} 3`)
}

describe('each known trick', () => {
  for (const [name, expected, request] of smugglingCases) {
    it(`${name}: ${expected}`, async () => {
      origin.forget()
      const answer = await say(request)
      assert.deepEqual(origin.problems, [])
      const { lines, rest } = applicationRead()
      if (expected === 'forwarded') {
        assert.match(answer, /^HTTP\/1\.1 200 /)
        assert.equal(lines.length, 1, lines.join(' and '))
      } else {
        assert.deepEqual(lines, [])
        // A body that turns out bad has been streamed: the application then sees its connection end within the request.
        if (typeof expected === 'number') assert.match(answer, new RegExp(`^HTTP/1\\.1 ${expected} `))
        if (!name.startsWith('chunks: ')) assert.equal(rest && expected !== 'nothing', false)
      }
      assert.equal(answer.match(/HTTP\/1\.1 \d{3} /g)?.length ?? 0, expected === 'nothing' ? 0 : 1)
      origin.forget()
      await probe(`/after/${encodeURIComponent(name).replaceAll('%', '-')}`)
    })
  }
})

describe('every trick, changed a little', () => {
  it('shows the application only what the proxy decided about', async () => {
    const random = createRandom(0x5eed)
    const seeds = smugglingCases.map(([, , request]) => Buffer.from(request, 'latin1'))
    for (let run = 0; run < 12_000; run++) {
      const input = mutate(seeds, random).toString('latin1')
      // Detection may want more of a shorter one.
      if (input.length < 64) continue
      origin.forget()
      test.exchanges.length = 0
      const what = `after ${JSON.stringify(input)}`
      await say(input).catch((error: Error) => assert.fail(`${error.message} ${what}`))
      assert.deepEqual(origin.problems, [], what)
      const decided = test.exchanges.filter(({ cluster }) => cluster === 'app')
      const { lines } = applicationRead()
      assert.ok(lines.length <= decided.length, `${lines.join(' and ')} ${what}`)
      for (const line of lines) {
        const known = decided.some(({ request }) => `${request.method} ${request.path}` === line)
        assert.ok(known, `the application read ${line} ${what}`)
      }
      if (run % 100 === 0) await probe(`/between/${run}`)
    }
    await until('no connection stays', () => test.openConnections() <= 1)
  })
})
