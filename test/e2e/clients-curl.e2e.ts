// curl as it comes: through the outbound proxy in both forms, the loopback listener and the gateway.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { parseEcho, startEchoMesh } from '../kit/echo-mesh.ts'
import type { EchoMesh } from '../kit/echo-mesh.ts'
import { send } from '../kit/http-client.ts'
import { runCommand } from '../kit/run-command.ts'

describe('curl', () => {
  let echo: EchoMesh
  before(async () => {
    echo = await startEchoMesh()
  })
  after(() => echo.stop())

  const curl = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await runCommand('curl', ['-sS', '--fail-with-body', ...args], {
      env: echo.proxyEnv,
    })
    assert.equal(exitCode, 0, stderr + stdout)
    return stdout
  }

  const upload = async (...headers: readonly string[]): Promise<string> => {
    const script = 'head -c 1048576 /dev/zero | tr "\\0" x | curl -sS "$@" -T - http://echo/up'
    const args = ['-c', script, 'sh', ...headers]
    const { exitCode, stdout, stderr } = await runCommand('sh', args, { env: echo.proxyEnv })
    assert.equal(exitCode, 0, stderr)
    return stdout
  }

  it('reaches a service by its plain name', async () => {
    const seen = parseEcho(await curl('http://echo/hello?a=1&b=%20'))
    assert.deepEqual([seen.pod, seen.method, seen.path, seen.host], ['echo', 'GET', '/hello?a=1&b=%20', 'echo'])
  })

  it('reaches it by its longer names', async () => {
    for (const name of ['echo.default', 'echo.default.svc', 'echo.default.svc.cluster.local', 'echo:80', 'ECHO']) {
      assert.equal(parseEcho(await curl(`http://${name}/`)).pod, 'echo')
    }
  })

  it('keeps no header of the proxy hop', async () => {
    const seen = parseEcho(await curl('-H', 'Connection: x-hop', '-H', 'X-Hop: 1', '-H', 'X-End: 2', 'http://echo/'))
    assert.equal(seen.headers['proxy-connection'], undefined)
    assert.equal(seen.headers['x-hop'], undefined)
    assert.deepEqual(seen.headers['x-end'], ['2'])
  })

  it('tunnels with CONNECT', async () => {
    const seen = parseEcho(await curl('--proxytunnel', 'http://echo/inside'))
    assert.deepEqual([seen.pod, seen.path], ['echo', '/inside'])
  })

  it('sends several requests over one connection', async () => {
    const lines = (await curl('http://echo/1', 'http://echo/2', 'http://echo/3')).trim().split('\n')
    assert.deepEqual(
      lines.map((line) => parseEcho(line).path),
      ['/1', '/2', '/3'],
    )
  })

  it('uploads a megabyte, with a length and in chunks', async () => {
    const size = 1024 * 1024
    const chunked = parseEcho(await upload())
    assert.deepEqual([chunked.method, chunked.bodyBytes], ['PUT', size])
    const counted = parseEcho(await upload('-H', 'Transfer-Encoding:', '-H', `Content-Length: ${size}`))
    assert.equal(counted.bodyBytes, size)
  })

  it('reaches the service through its loopback listener, whatever the Host', async () => {
    assert.equal(parseEcho(await curl(`http://${echo.listener}/direct`)).path, '/direct')
    const seen = parseEcho(await curl('-H', 'Host: some.other.name', `http://${echo.listener}/`))
    assert.deepEqual([seen.pod, seen.host], ['echo', 'some.other.name'])
  })

  it('reaches it with HTTP/2 by prior knowledge, though its application speaks HTTP/1.1', async () => {
    const seen = parseEcho(await curl('--http2-prior-knowledge', `http://${echo.listener}/two`))
    assert.deepEqual([seen.pod, seen.path], ['echo', '/two'])
    const body = `@${import.meta.filename}`
    const posted = parseEcho(
      await curl('--http2-prior-knowledge', '--data-binary', body, `http://${echo.gateway}/in`, '-H', 'Host: a.b'),
    )
    assert.deepEqual([posted.method, posted.host], ['POST', 'a.b'])
    assert.ok(posted.bodyBytes > 1_000)
  })

  it('comes in through the gateway', async () => {
    const seen = parseEcho(await curl('-H', 'Host: shop.example.com', `http://${echo.gateway}/in`))
    assert.deepEqual([seen.pod, seen.host, seen.path], ['echo', 'shop.example.com', '/in'])
  })

  it('gets no 200 for a name that nobody has', async () => {
    const args = ['-sS', '-o', '/dev/null', '-w', '%{http_code}', 'http://nobody.invalid/']
    const { stdout } = await runCommand('curl', args, { env: echo.proxyEnv })
    assert.match(stdout, /^(404|502|503)$/)
  })

  it('is refused at the inbound listener, where only the mesh may come in', async () => {
    const address = echo.mesh.workload('echo').inbound[0]?.address ?? 'missing.invalid'
    const outcome = await send({ address, target: '/' }).then(
      ({ status }) => status,
      () => 'closed',
    )
    assert.notEqual(outcome, 200)
  })
})
