// Python's requests and urllib, where they are installed.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { parseEcho, startEchoMesh } from '../kit/echo-mesh.ts'
import type { EchoMesh } from '../kit/echo-mesh.ts'
import { runCommand } from '../kit/run-command.ts'

const scripts = {
  urllib: `
import urllib.request
for n in range(3):
    print(urllib.request.urlopen('http://echo/%d' % n).read().decode(), end='')
`,
  requests: `
import requests
with requests.Session() as session:
    for n in range(3):
        print(session.get('http://echo/%d' % n).text, end='')
    print(session.post('http://echo/posted', data=b'x' * 300000).text, end='')
`,
}

describe('Python', () => {
  let echo: EchoMesh
  before(async () => {
    echo = await startEchoMesh()
  })
  after(() => echo.stop())

  for (const [name, script] of Object.entries(scripts)) {
    it(`reaches a service with ${name}`, async (t) => {
      const probe = await runCommand('python3', ['-c', name === 'urllib' ? 'import urllib.request' : `import ${name}`])
      if (probe.exitCode !== 0) {
        console.error(`\n!! SKIPPED: python3 with ${name} is not installed here; nothing is known about it\n`)
        t.skip('not installed')
        return
      }
      const { exitCode, stdout, stderr } = await runCommand('python3', ['-c', script], { env: echo.proxyEnv })
      assert.equal(exitCode, 0, stderr)
      const seen = stdout.trim().split('\n').map(parseEcho)
      assert.deepEqual(
        seen.slice(0, 3).map(({ pod, host, path }) => [pod, host, path]),
        [0, 1, 2].map((n) => ['echo', 'echo', `/${n}`]),
      )
      if (name === 'requests') assert.deepEqual([seen[3]?.method, seen[3]?.bodyBytes], ['POST', 300_000])
    })
  }
})
