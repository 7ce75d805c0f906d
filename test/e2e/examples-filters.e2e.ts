// examples/filters: the tenant is named at the gateway, secrets stay in the mesh, an edited filter holds for the next request; and its own tests.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { ExampleCopy } from '../kit/example-copy.ts'
import { send, sendThroughProxy, type WireResponse } from '../kit/http-client.ts'
import { runCommand } from '../kit/run-command.ts'
import { eventually, startMesh } from '../kit/running-mesh.ts'

const root = join(import.meta.dirname, '../..')

test('examples/filters names tenants, hides fields and follows its files', async () => {
  using example = await ExampleCopy.of('filters')
  const mesh = await startMesh({ files: [example.folder] })
  try {
    const address = mesh.state.gateways[0]?.address ?? ''
    const ask = (host: string): Promise<WireResponse> => send({ address, target: '/', headers: { host } })
    const account = await ask('acme.example')
    assert.deepEqual(JSON.parse(account.body), { tenant: 'Acme Corp', name: 'Ada', card: '***' })
    const unknown = await ask('initech.example')
    assert.deepEqual([unknown.status, unknown.body], [404, 'there is no tenant "initech"\n'])
    // inside the mesh nobody names a tenant, and the field is hidden all the same
    const direct = await sendThroughProxy(mesh.workload('caller').outboundProxy, 'http://accounts/')
    assert.deepEqual(JSON.parse(direct.body), { tenant: null, name: 'Ada', card: '***' })

    example.edit('redact.ts', (text) => text.replace("return '***'", "return '(hidden)'"))
    await eventually(async () => assert.match((await ask('acme.example')).body, /"card":"\(hidden\)"/), 10_000)
  } finally {
    assert.equal(await mesh.stop(), 0)
  }
})

test('the same under the permission model', async () => {
  using example = await ExampleCopy.of('filters')
  const mesh = await startMesh({ files: [example.folder], args: ['--sandbox'] })
  try {
    const answer = await send({
      address: mesh.state.gateways[0]?.address ?? '',
      target: '/',
      headers: { host: 'globex.example' },
    })
    assert.deepEqual(JSON.parse(answer.body), { tenant: 'Globex', name: 'Ada', card: '***' })
  } finally {
    assert.equal(await mesh.stop(), 0)
  }
})

test('its filters have types and tests of their own', async () => {
  const folder = join(root, 'examples/filters')
  const analyzed = await runCommand(join(root, 'heddle'), ['analyze', '-f', folder])
  assert.deepEqual([analyzed.exitCode, analyzed.stdout], [0, 'no problems found\n'])
  const files = readdirSync(folder).filter((file) => file.endsWith('.test.ts'))
  assert.ok(files.length > 0)
  const tested = await runCommand(process.execPath, ['--test', ...files.map((file) => join(folder, file))])
  assert.equal(tested.exitCode, 0, tested.stdout)
})

test('analyze names the line of a wrong type', async () => {
  using example = await ExampleCopy.of('filters')
  example.edit('tenant.ts', (text) => text.replace("context.count('tenant', tenant)", "context.count('tenant', 1)"))
  const { exitCode, stdout } = await runCommand(join(root, 'heddle'), ['analyze', '-f', example.folder])
  assert.equal(exitCode, 1)
  assert.match(stdout, /tenant\.ts:\d+:29: error HDL016: TS2345: Argument of type 'number' is not assignable/)
})
