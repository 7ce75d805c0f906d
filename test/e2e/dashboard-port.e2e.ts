// Where the dashboard is served, and that a mesh works without it.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { freePorts } from '../kit/free-ports.ts'
import { listenOn } from '../kit/greeting-server.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, meshFile, startMesh } from '../kit/running-mesh.ts'

const launcher = join(import.meta.dirname, '../../heddle')
let file = ''

before(async () => {
  file = await meshFile(`
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: web }
spec: { serviceAccount: web }
`)
})

after(() => rm(dirname(file), { recursive: true, force: true }))

describe('the dashboard', () => {
  it('is at the port that was asked for, its token reads there and nowhere else', async () => {
    const [port = 0] = await freePorts(1)
    const mesh = await startMesh({ files: [file], dashboard: true, args: ['--dashboard-port', String(port)] })
    try {
      const url = new URL(mesh.state.dashboardUrl ?? '')
      assert.equal(url.port, String(port))
      assert.match((await runCommand(launcher, ['ps', '--state-dir', mesh.stateDir])).stdout, /^dashboard: http/m)
      const page = await fetch(url.origin)
      assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self'/)
      assert.match(await page.text(), /<div id="root">/)
      const authorization = `Bearer ${url.hash.replace('#token=', '')}`
      assert.equal((await fetch(`${url.origin}/v1/topology`, { headers: { authorization } })).status, 200)
      assert.equal((await fetch(`${url.origin}/v1/topology`)).status, 401)
      assert.equal((await fetch(`${mesh.state.adminUrl}/v1/topology`, { headers: { authorization } })).status, 401)
    } finally {
      await mesh.stop()
    }
  })

  it('is left out where its port is taken, and the mesh says so', async () => {
    const [port = 0] = await freePorts(1)
    const other = await listenOn(port, createServer())
    const mesh = await startMesh({ files: [file], dashboard: true, args: ['--dashboard-port', String(port)] })
    try {
      assert.equal(mesh.state.dashboardUrl, undefined)
      assert.ok(mesh.workload('web').ready)
      await eventually(() => assert.match(mesh.output(), /warning HDL011: the dashboard cannot be served at/), 10_000)
    } finally {
      await mesh.stop()
      other.close()
    }
  })
})
