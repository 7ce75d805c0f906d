// curl, nghttp and h2load (Debian's nghttp2-client) through two sidecars, to applications of HTTP/1.1 and of HTTP/2.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createHttp2Server, type Http2Server, type Http2ServerRequest } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'

import { runCommand } from '../kit/run-command.ts'
import { type SidecarPair, startSidecarPair } from '../kit/sidecar-pair.ts'
import { testAuthority } from '../kit/svids.ts'

const authority = testAuthority()
const body = randomBytes(2_000_000)
const sum = createHash('sha256').update(body).digest('hex')
let directory = ''
let file = ''

/** Says what came in: version, method, sum of the body. */
async function answer(incoming: IncomingMessage | Http2ServerRequest): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of incoming) hash.update(piece as Buffer)
  return `${incoming.httpVersion} ${incoming.method} ${incoming.url} ${hash.digest('hex')}\n`
}

/** Its stdout; undefined where the program is not installed. */
async function tool(t: TestContext, command: string, args: readonly string[]): Promise<string | undefined> {
  const probe = await runCommand(command, ['--version']).catch(() => ({ exitCode: 1 }))
  if (probe.exitCode !== 0) {
    console.error(`\n!! SKIPPED: ${command} is not installed here; nothing is known about it\n`)
    t.skip('not installed')
    return undefined
  }
  const { exitCode, stdout, stderr } = await runCommand(command, args)
  assert.equal(exitCode, 0, stderr + stdout)
  return stdout
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'heddle-clients-'))
  file = join(directory, 'body')
  await writeFile(file, body)
})

after(async () => {
  authority.remove()
  await rm(directory, { recursive: true })
})

for (const version of ['1.1', '2.0'] as const) {
  for (const upgradeToHttp2 of [true, false]) {
    describe(`an application of HTTP/${version}, HTTP/1.1 ${upgradeToHttp2 ? 'as HTTP/2' : 'as it is'} between the sidecars`, () => {
      let application: Server | Http2Server
      let pair: SidecarPair
      let url = ''
      before(async () => {
        application =
          version === '1.1'
            ? createServer((incoming, response) => void answer(incoming).then((text) => response.end(text)))
            : createHttp2Server((incoming, response) => void answer(incoming).then((text) => response.end(text)))
        await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
        const { port } = application.address() as AddressInfo
        const httpProtocol = version === '1.1' ? 'http1' : 'http2'
        pair = await startSidecarPair({ authority, applicationPort: port, upgradeToHttp2, inbound: { httpProtocol } })
        url = `http://127.0.0.1:${pair.port}`
      })
      after(async () => {
        await pair.stop()
        application.close()
      })

      for (const option of ['--http1.1', '--http2-prior-knowledge']) {
        it(`curl ${option}`, async (t) => {
          // One request each: curl 7.88 cannot use a connection again that it knew beforehand to be HTTP/2.
          const text = await tool(t, 'curl', ['-sS', '--fail', option, `${url}/a`])
          if (text !== undefined) assert.equal(text, `${version} GET /a ${createHash('sha256').digest('hex')}\n`)
          const sent = await tool(t, 'curl', ['-sS', '--fail', option, '--data-binary', `@${file}`, `${url}/up`])
          if (sent !== undefined) assert.equal(sent, `${version} POST /up ${sum}\n`)
        })
      }

      it('nghttp', async (t) => {
        const text = await tool(t, 'nghttp', [`--data=${file}`, `${url}/up`])
        if (text !== undefined) assert.equal(text, `${version} POST /up ${sum}\n`)
      })

      for (const [what, options] of [
        ['streams', ['-n', '2000', '-c', '4', '-m', '50']],
        ['HTTP/1.1', ['--h1', '-n', '1000', '-c', '8']],
        ['bodies', ['-n', '20', '-c', '2', '-m', '5', '-w', '14', '-W', '16', `--data=`]],
      ] as const) {
        it(`h2load: ${what}`, async (t) => {
          const args = options.map((option) => (option === '--data=' ? `--data=${file}` : option))
          const text = await tool(t, 'h2load', [...args, `${url}/load`])
          if (text === undefined) return
          assert.match(text, /requests: (\d+) total, \1 started, \1 done, \1 succeeded, 0 failed, 0 errored, 0 timeout/)
          assert.match(text, /status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx/)
        })
      }
    })
  }
}
