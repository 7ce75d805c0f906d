// An operator at a terminal: the failing edge of the demo shop, its route, the requests and the change that caused it are found by verbs alone.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import type { DecisionRecord } from '../../src/contracts/decision-record.ts'
import type { MeshEvent } from '../../src/contracts/mesh-event.ts'
import type { TrafficSum } from '../../src/contracts/read-api.ts'
import { ExampleCopy } from '../kit/example-copy.ts'
import { freePorts } from '../kit/free-ports.ts'
import { send } from '../kit/http-client.ts'
import { runCommand, type CommandResult } from '../kit/run-command.ts'
import { eventually, startMesh, type RunningMesh } from '../kit/running-mesh.ts'

const launcher = new URL('../../heddle', import.meta.url).pathname
/** A report a second, a window of a few, and what a busy machine adds. */
const seenWithinMs = 30_000

let shop: ExampleCopy
let mesh: RunningMesh
let folder = ''
const clear = `${String.fromCodePoint(0x1b)}[2J`

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heddle-traffic-'))
  shop = await ExampleCopy.of('shop')
  mesh = await startMesh({ files: [shop.folder] })
})

after(async () => {
  await mesh.stop()
  shop[Symbol.dispose]()
  await rm(folder, { recursive: true, force: true })
})

function heddle(...args: readonly string[]): Promise<CommandResult> {
  return runCommand(launcher, [...args, '--state-dir', mesh.stateDir])
}

async function json<T>(...args: readonly string[]): Promise<T> {
  const { stdout, stderr, exitCode } = await heddle(...args, '-o', 'json')
  assert.equal(exitCode, 0, stderr)
  return JSON.parse(stdout) as T
}

/** The row of a table that begins so, by column. */
function row(table: string, ...begin: readonly string[]): Record<string, string> {
  const [head = '', ...lines] = table.split('\n')
  const line = lines.find((one) => begin.every((word, index) => one.split(/\s{2,}/)[index] === word))
  assert.ok(line !== undefined, `no ${begin.join(' ')} in\n${table}`)
  const starts = [...head.matchAll(/\S+( \S+)*/g)]
  assert.ok(starts.length >= begin.length)
  const cells = line.split(/\s{2,}/)
  return Object.fromEntries(starts.map(([header], index) => [header, cells[index] ?? '']))
}

interface Edges {
  readonly edges: readonly (TrafficSum & { readonly success?: number; readonly requestsPerSecond: number })[]
}

describe('a fault in the shop', () => {
  it('is nowhere before: every edge is healthy and encrypted', async () => {
    await eventually(async () => {
      const { stdout } = await heddle('edges', 'catalog')
      const edge = row(stdout, 'storefront', 'catalog')
      assert.deepEqual([edge['HEALTH'], edge['MTLS'], edge['SUCCESS']], ['healthy', 'all', '100.0%'])
      const { edges } = await json<Edges>('edges', '-n', 'default')
      const began = 'workload/default/traffic → service/default/storefront'
      assert.ok(edges.some(({ from, to }) => `${from} → ${to}` === began))
      assert.ok(edges.every(({ requestsPerSecond }) => requestsPerSecond > 0))
    }, seenWithinMs)
    assert.deepEqual((await json<Edges>('edges', '-n', 'elsewhere')).edges, [])
  })

  it('is found: the failing edge, its route, the requests, and the change that caused it', async () => {
    await writeFile(
      join(shop.folder, 'trial.yaml'),
      `# a trial
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: trial, namespace: default }
spec:
  targetRefs: [{ kind: Service, name: catalog }]
  faults: { abort: { httpStatus: 503, percent: 60 } }
`,
    )
    // who asks whom, and what fails
    await eventually(async () => {
      const { stdout } = await heddle('edges', '--window', '10s')
      assert.equal(row(stdout, 'storefront', 'catalog')['HEALTH'], 'failing')
      assert.equal(row(stdout, 'storefront', 'cart')['HEALTH'], 'healthy')
    }, seenWithinMs)
    // by which route, and where that is written
    const routes = await heddle('routes', 'catalog', '--window', '10s')
    const route = row(routes.stdout, 'catalog')
    assert.equal(route['ROUTE'], 'default/catalog/0')
    assert.match(route['CODES'] ?? '', /503: \d+/)
    assert.match(route['WRITTEN IN'] ?? '', /^routes\.yaml:\d+$/)
    // nobody answered them: they never got to a workload
    const { edges } = await json<Edges>('stat', 'catalog', '--window', '10s')
    assert.equal(edges.find(({ workload }) => workload === '')?.success, 0)
    assert.equal(edges.find(({ workload }) => workload === 'default/catalog')?.success, 1)
    // the worst first
    const worst = await heddle('top', '--sort', 'errors')
    assert.match(worst.stdout, /^FROM[^\n]+\n(storefront +catalog|traffic +storefront)/)
    // what changed about it
    const events = await heddle('events', 'catalog', '--kind', 'configuration', '--window', '5m')
    assert.match(
      events.stdout,
      /configuration +info +revision \d+ changes TrafficPolicy\/default\/trial +trial\.yaml:\d+/,
    )
    const { events: exact } = await json<{ events: MeshEvent[] }>('events', 'trial')
    assert.deepEqual(
      exact.map(({ documents }) => documents),
      [['TrafficPolicy/default/trial']],
    )
  })

  it('is in the requests, by any field of their records, which can be kept', async () => {
    const file = join(folder, 'failures.jsonl')
    const where = '"FI" in response.flags && request.path.startsWith("/products") && durationMs < 10000'
    const { stdout } = await heddle('tap', 'storefront', '--where', where, '--count', '2', '--save', file, '-o', 'json')
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as DecisionRecord)
    assert.deepEqual(
      records.map(({ response, source }) => [response.status, source.workload]),
      [
        [503, 'default/storefront'],
        [503, 'default/storefront'],
      ],
    )
    assert.equal(await readFile(file, 'utf8'), stdout)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    const { stdout: lines } = await heddle('tap', '--service', 'catalog', '--status', '503', '--count', '1')
    assert.match(lines, /default\/storefront → \S+ GET catalog:8080\/products\S* .*503/)
  })

  it('is told by one look after the other', async () => {
    const watching = spawn(launcher, ['edges', 'catalog', '--watch', '-o', 'json', '--state-dir', mesh.stateDir])
    let heard = ''
    watching.stdout.on('data', (bytes: Buffer) => (heard += bytes.toString()))
    try {
      await eventually(() => assert.ok(heard.split('\n').length > 2), seenWithinMs)
      const looks = heard.split('\n').slice(0, 2)
      const times = looks.map((line) => (JSON.parse(line) as { readonly atMs: number }).atMs)
      assert.ok((times[1] ?? 0) > (times[0] ?? Infinity), times.join())
    } finally {
      watching.kill('SIGINT')
    }
    const exitCode = await new Promise((resolve) => watching.once('exit', resolve))
    assert.equal(exitCode, 0)
  })
})

describe('heddle top on a terminal', () => {
  it('sorts at a key, fits, and leaves the terminal as it was', async () => {
    const command = `stty cols 100 rows 20; exec ${launcher} top --state-dir ${mesh.stateDir}`
    const terminal = spawn('script', ['-qec', command, '/dev/null'], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TERM: 'xterm', NO_COLOR: '1', LC_ALL: 'C.UTF-8' },
    })
    const ended = new Promise((resolve) => terminal.once('exit', resolve))
    let heard = ''
    terminal.stdout.on('data', (bytes: Buffer) => (heard += bytes.toString()))
    const shows = (text: string): Promise<void> =>
      eventually(() => assert.ok(heard.includes(text), JSON.stringify(heard.slice(-500))), seenWithinMs)
    await shows('[rate]')
    terminal.stdin.write('e')
    await shows('[errors]')
    await shows('catalog')
    terminal.stdin.write('q')
    assert.equal(await ended, 0)
    const escape = String.fromCodePoint(0x1b)
    assert.ok(heard.endsWith(`${escape}[?25h${escape}[?1049l`), JSON.stringify(heard.slice(-100)))
    // each picture begins at the top
    const drawn = heard.replaceAll(`${escape}[H`, '\n').replaceAll(new RegExp(`${escape}\\[[?\\d;]*[A-Za-z]`, 'g'), '')
    for (const line of drawn.split(/\r?\n/)) assert.ok(line.length <= 100, line)
  })
})

describe('what others sent', () => {
  it('never reaches the terminal as it was', async () => {
    const [gateway] = mesh.state.gateways
    const csi = '\u009b2J'
    const stop = new AbortController()
    // header values may have any byte above 0x7f: to some terminals 0x9b is the begin of a command
    const sending = (async () => {
      while (!stop.signal.aborted) {
        await send({
          address: gateway?.address ?? '',
          target: '/hostile',
          headers: { 'user-agent': `agent ${csi}` },
        })
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })()
    try {
      const where = 'request.path == "/hostile" && request.headers["user-agent"].startsWith("agent")'
      for (const format of ['json', 'yaml', 'table']) {
        const { stdout } = await heddle('tap', 'public', '--where', where, '--count', '1', '-o', format)
        assert.match(stdout, /hostile/)
        assert.doesNotMatch(stdout, /[\u0080-\u009f]/, format)
      }
    } finally {
      stop.abort()
      await sending
    }
    const { stderr, exitCode } = await heddle('events', '--kind', clear)
    assert.equal(exitCode, 2)
    assert.ok(!stderr.includes(clear), JSON.stringify(stderr))
  })
})

describe('exit codes and help', () => {
  it('are 2 for a mistake, 1 where nobody answers, 0 otherwise', async () => {
    for (const args of [
      ['edges', '--window', '7h'],
      ['edges', '--window', 'soon'],
      ['top', '--sort', 'name'],
      ['events', '--kind', 'weather'],
      ['tap', '--where', 'respons.status == 503'],
      ['tap', '--where', 'response.status =='],
      ['tap', '--save', '/nowhere/at/all'],
    ]) {
      assert.equal((await heddle(...args)).exitCode, 2, args.join(' '))
    }
    const [port = 0] = await freePorts(1)
    for (const verb of ['stat', 'edges', 'routes', 'top', 'events']) {
      const { exitCode, stderr } = await runCommand(launcher, [verb, '--address', `http://127.0.0.1:${port}`], {
        env: { HEDDLE_TOKEN: 'none' },
      })
      assert.equal(exitCode, 1, verb)
      assert.match(stderr, /does not answer/)
      const help = await heddle(verb, '--help')
      assert.equal(help.exitCode, 0)
      assert.match(help.stdout, new RegExp(`Examples:\n {2}\\$ heddle ${verb}`))
    }
  })

  it('need no more than a viewer', async () => {
    const token = JSON.parse((await heddle('token', 'create', 'looker', '--role', 'viewer', '-o', 'json')).stdout) as {
      readonly token: string
    }
    for (const verb of ['stat', 'edges', 'routes', 'top', 'events']) {
      const { exitCode, stderr } = await runCommand(launcher, [verb, '--address', mesh.state.adminUrl], {
        env: { HEDDLE_TOKEN: token.token },
      })
      assert.equal(exitCode, 0, stderr)
    }
  })
})
