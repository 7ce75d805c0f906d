// Promise: the data path does not need the control plane. It is killed again and again for a while under load: no request fails, and when it
// stays up it configures the same proxies on.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'

import { markedMesh } from '../kit/marked-mesh.ts'
import { eventually, startMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'

/** HEDDLE_LONG=1 keeps the control plane dead for a minute, as the promise says; otherwise long enough to break a proxy that minds. */
const deadMs = process.env['HEDDLE_LONG'] === '1' ? 60_000 : 8_000

test('no request fails while the control plane is dead, and the same proxies take new configuration afterwards', async () => {
  const file = await markedMesh()
  const mesh = await startMesh({ files: [file] })
  try {
    const address = mesh.workload('client').services.find((service) => service.name === 'echo')?.address
    assert.ok(address !== undefined)
    await using load = new SteadyLoad({ url: `http://${address}/`, connections: 8, pauseMs: 5 })
    const proxies = await proxyPids(mesh.pid)
    const untilMs = performance.now() + deadMs
    let killed = 0
    while (performance.now() < untilMs) {
      for (const pid of await childPids(mesh.pid, 'control-plane')) {
        process.kill(pid, 'SIGKILL')
        killed++
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert.ok(killed > 0, 'the control plane was found and killed')
    await writeFile(file, (await readFile(file, 'utf8')).replace('value: first', 'value: second'))
    await eventually(async () => {
      const response = await fetch(`http://${address}/`)
      await response.text()
      assert.equal(response.headers.get('x-generation'), 'second')
    }, 30_000)
    const result = await load.stop()
    assert.deepEqual(result.failures, [])
    assert.ok(result.ok > 100, `${result.ok} requests`)
    assert.equal(result.connectionsOpened, 8, 'no keep-alive connection was dropped')
    assert.deepEqual(await proxyPids(mesh.pid), proxies, 'no proxy was restarted')
  } finally {
    await mesh.stop()
  }
})

async function childPids(parent: number, role: string): Promise<number[]> {
  const found: number[] = []
  for (const pid of (await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8'))
    .split(' ')
    .filter(Boolean)
    .map(Number)) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (commandLine.split('\0').includes(role)) found.push(pid)
  }
  return found
}

function proxyPids(parent: number): Promise<number[]> {
  return childPids(parent, 'proxy')
}
