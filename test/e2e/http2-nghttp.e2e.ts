// Heddle's HTTP/2 server against nghttp and h2load (Debian's nghttp2-client). Says loudly when they are not there.
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'

import { systemClock } from '../../src/core/clock.ts'
import { HeaderList } from '../../src/core/header-list.ts'
import type { ServerStream } from '../../src/proxy/codec/http-stream.ts'
import { Http2ServerConnection } from '../../src/proxy/codec/http2/server-connection.ts'
import { createNetBackend } from '../../src/proxy/io/net-backend.ts'

const run = promisify(execFile)
const present = spawnSync('h2load', ['--version']).status === 0
if (!present) console.error('NOT TESTED against nghttp and h2load: install nghttp2-client')
const five = Buffer.alloc(5_000_000, 'heddle ')

function serve(stream: ServerStream): void {
  const hash = createHash('sha256')
  stream.handler = {
    onData: (bytes) => void hash.update(bytes),
    onEnd() {
      const body = stream.request.path === '/five' ? five : Buffer.from(hash.digest('hex'))
      stream.sendHead({ status: 200, headers: HeaderList.of(['Content-Type', 'text/plain']) }, body.length)
      stream.sendData(body)
      stream.sendEnd()
    },
    onDrain() {},
    onClosed() {},
  }
}

describe('server', { skip: !present && 'nghttp2-client is not installed' }, async () => {
  const refusals: string[] = []
  const server = await createNetBackend(systemClock).listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    new Http2ServerConnection(connection, {
      clock: systemClock,
      idleTimeoutMs: 60_000,
      headTimeoutMs: 10_000,
      onStream: serve,
      onRefused: (reason) => refusals.push(reason),
      onClosed() {},
    }).start(new Uint8Array())
  })
  const url = `http://127.0.0.1:${server.address.port}`
  const directory = mkdtempSync(join(tmpdir(), 'heddle-http2-'))
  const file = join(directory, 'body')
  writeFileSync(file, five)
  after(async () => {
    await server.close()
    rmSync(directory, { recursive: true })
    assert.deepEqual(refusals, [])
  })

  for (const options of [[], ['--window-bits=10', '--connection-window-bits=10'], ['--padding=100']]) {
    test(`nghttp ${options.join(' ')} gets 5 MB`, async () => {
      const { stdout } = await run('nghttp', [...options, `${url}/five`], { encoding: 'buffer', maxBuffer: 10_000_000 })
      assert.ok(stdout.equals(five))
    })

    test(`nghttp ${options.join(' ')} sends 5 MB`, async () => {
      const { stdout } = await run('nghttp', [...options, `--data=${file}`, '--trailer=x-a: b', `${url}/hash`])
      assert.equal(stdout, createHash('sha256').update(five).digest('hex'))
    })
  }

  test('nghttp sends a head that needs CONTINUATION', async () => {
    const { stdout } = await run('nghttp', ['--continuation', '-H', `x-long: ${'y'.repeat(30_000)}`, `${url}/hash`])
    assert.equal(stdout, createHash('sha256').digest('hex'))
  })

  for (const [what, options] of [
    ['20,000 requests', ['-n', '20000', '-c', '4', '-m', '100']],
    ['40 bodies of 5 MB in small windows', ['-n', '40', '-c', '2', '-m', '10', '-w', '14', '-W', '16']],
  ] as const) {
    test(`h2load: ${what}`, async () => {
      const body = what.includes('bodies') ? [`--data=${file}`] : []
      const { stdout } = await run('h2load', [...options, ...body, `${url}/hash`])
      assert.match(stdout, /requests: (\d+) total, \1 started, \1 done, \1 succeeded, 0 failed, 0 errored, 0 timeout/)
    })
  }
})
