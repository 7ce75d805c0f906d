// A mesh below its user's own certificate authority: it starts, takes another one over while requests flow, and says at once what it cannot use.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import type { AuthorityStatus } from '../../src/contracts/control-api.ts'
import { markedMesh } from '../kit/marked-mesh.ts'
import { eventually, startMesh } from '../kit/running-mesh.ts'
import { SteadyLoad } from '../kit/steady-load.ts'
import { userAuthority, writeAuthority, writeProgram, writeSigningProgram } from '../kit/user-authority.ts'

const heddle = new URL('../../heddle', import.meta.url).pathname

test('a new authority in the files takes over under load', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-user-ca-'))
  const [first, second] = [userAuthority({ below: userAuthority({ keyType: 'rsa' }) }), userAuthority()]
  const files = writeAuthority(folder, first)
  const args = ['--ca-cert', files.certificateFile, '--ca-key', files.keyFile]
  const mesh = await startMesh({ files: [await markedMesh()], args })
  try {
    const address = mesh.workload('client').services.find((service) => service.name === 'echo')?.address
    await using load = new SteadyLoad({
      url: `http://${address}/`,
      connections: 4,
      pauseMs: 5,
      headers: { connection: 'close' },
    })
    const serials = async (): Promise<string[]> => {
      const { stdout } = await run('certs', 'authority', '-o', 'json', '--state-dir', mesh.stateDir)
      return (JSON.parse(stdout) as AuthorityStatus).certificates.map(({ serialNumber }) => serialNumber)
    }
    const before = await serials()
    assert.deepEqual([before[0], before[2]], [first.chain[1]?.serialNumber, first.chain[0]?.serialNumber])
    const refused = await run('certs', 'rotate', '--root', '--state-dir', mesh.stateDir)
    assert.deepEqual([refused.code, /the root comes from .*put the new .* there/.test(refused.stderr)], [2, true])

    writeAuthority(folder, second)
    await eventually(async () => {
      const now = await serials()
      assert.deepEqual([now[0], now.length], [second.chain[0]?.serialNumber, 2])
    }, 20_000)
    const bundle = await readFile(join(mesh.stateDir, 'ca', 'trust-bundle.pem'), 'utf8')
    assert.equal(bundle.trim(), String(second.chain[0]).trim())
    const { failures, ok } = await load.stop()
    assert.deepEqual(failures, [])
    assert.ok(ok > 50)
  } finally {
    await mesh.stop()
    await rm(folder, { recursive: true })
  }
})

test('a program signs in place of a key, and the intermediate is replaced under load', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-user-ca-'))
  const mine = userAuthority({ below: userAuthority({ keyType: 'rsa' }) })
  const { certificateFile } = writeAuthority(folder, mine)
  const program = writeSigningProgram(folder)
  const asked = async (): Promise<number> => (await readFile(join(folder, 'asked'), 'utf8')).trim().split('\n').length
  const mesh = await startMesh({
    files: [await markedMesh()],
    args: ['--ca-cert', certificateFile, '--ca-command', program],
    env: { HEDDLE_TOKEN: 'of-somebody' },
  })
  try {
    const address = mesh.workload('client').services.find((service) => service.name === 'echo')?.address
    await using load = new SteadyLoad({
      url: `http://${address}/`,
      connections: 4,
      pauseMs: 5,
      headers: { connection: 'close' },
    })
    const intermediate = async (): Promise<X509Certificate> =>
      new X509Certificate(await readFile(join(mesh.stateDir, 'ca', 'intermediate.pem')))
    const before = await intermediate()
    assert.ok(before.verify(mine.chain[0]!.publicKey))
    assert.match(before.subject, /CN=Signed elsewhere/)
    assert.equal(await asked(), 1)

    await writeFile(join(folder, 'fault'), 'Vault is sealed\n')
    const failed = await run('certs', 'rotate', '--intermediate', '--state-dir', mesh.stateDir)
    assert.deepEqual([failed.code, failed.stderr.includes('sign-intermediate ended with exit code 3')], [2, true])
    assert.match(failed.stderr, /Vault is sealed/)
    assert.equal((await intermediate()).serialNumber, before.serialNumber)

    await rm(join(folder, 'fault'))
    const rotated = await run('certs', 'rotate', '--intermediate', '--state-dir', mesh.stateDir)
    assert.equal(rotated.code, 0, rotated.stderr)
    const after = await intermediate()
    assert.notEqual(after.serialNumber, before.serialNumber)
    assert.ok(after.verify(mine.chain[0]!.publicKey))
    assert.equal(await asked(), 3)
    assert.doesNotMatch(await readFile(join(folder, 'asked'), 'utf8'), /token/)
    const { failures, ok } = await load.stop()
    assert.deepEqual(failures, [])
    assert.ok(ok > 50)
  } finally {
    await mesh.stop()
    await rm(folder, { recursive: true })
  }
})

test('that the authority is near its end is said long before, wherever somebody looks', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-user-ca-'))
  // two hours of 26 are left
  const { certificateFile, keyFile } = writeAuthority(folder, userAuthority({ lifetimeMs: 2 * 3_600_000 }))
  const args = ['--ca-cert', certificateFile, '--ca-key', keyFile]
  const mesh = await startMesh({ files: [await markedMesh()], args })
  try {
    const banner = /warning HDL015: the root ends at \d{4}-\d\d-\d\dT\d\d:\d\dZ \(Run `heddle certs rotate --root`\.\)/
    await eventually(() => assert.match(mesh.output(), banner), 5_000)
    const ps = await run('ps', '--state-dir', mesh.stateDir)
    assert.equal(ps.code, 0)
    assert.match(ps.stderr, banner)
    const check = await run('check', '--state-dir', mesh.stateDir)
    assert.equal(check.code, 0, 'it is true now that all is well')
    assert.match(check.stdout, /certificate authority far from expiry +warning +the root expires in/)
    const metrics = await (await fetch(`${mesh.state.adminUrl}/metrics`)).text()
    const name = 'heddle_authority_certificate_expiry_timestamp_seconds\\{role="root",use="signing"\\}'
    const [, seconds] = new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics) ?? []
    assert.ok(Math.abs(Number(seconds) - Date.now() / 1000 - 7_200) < 120, metrics)
  } finally {
    await mesh.stop()
    await rm(folder, { recursive: true })
  }
})

test('what cannot be used is said at once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-user-ca-'))
  const file = await markedMesh()
  const { certificateFile, keyFile } = writeAuthority(folder, userAuthority({ uri: 'spiffe://other.local' }))
  const start = (...args: string[]): ReturnType<typeof run> =>
    run('up', '-f', file, '--no-dashboard', '--state-dir', join(folder, 'state'), ...args)
  const wrong = await start('--ca-cert', certificateFile, '--ca-key', keyFile)
  assert.equal(wrong.code, 1)
  assert.match(
    wrong.stderr,
    /ca\.crt: its certificate: it is for spiffe:\/\/other\.local, not for trust domain "mesh\.local"/,
  )
  const half = await start('--ca-cert', certificateFile)
  assert.deepEqual([half.code, /--ca-cert and --ca-key belong together/.test(half.stderr)], [2, true])
  const program = writeProgram(folder, 'echo "permission denied" >&2; exit 4')
  const { certificateFile: good } = writeAuthority(folder, userAuthority())
  const failing = await start('--ca-cert', good, '--ca-command', program)
  assert.equal(failing.code, 1)
  assert.match(failing.stderr, /sign-intermediate ended with exit code 4: permission denied/)
  const both = await start('--ca-cert', good, '--ca-key', keyFile, '--ca-command', program)
  assert.deepEqual([both.code, /--ca-key and --ca-command exclude each other/.test(both.stderr)], [2, true])
  const plain = await start('--ca-cert', good, '--ca-command', good)
  assert.deepEqual([plain.code, /ca\.crt is no program that can be run/.test(plain.stderr)], [2, true])
  const missing = await start('--ca-cert', certificateFile, '--ca-key', join(folder, 'nothing'))
  assert.deepEqual([missing.code, /there is no file .*nothing/.test(missing.stderr)], [2, true])
  await rm(folder, { recursive: true })
})

function run(
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(heddle, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}
