// The simulator beside the real thing: the same documents, the same callers, once on sockets and once on the virtual clock. And its verb.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'

import { formatProblem } from '../../src/contracts/problem.ts'
import { SimulatedMesh } from '../../src/insight/simulate/simulated-mesh.ts'
import { readSimulation } from '../../src/insight/simulate/simulation-files.ts'
import { reportRun } from '../../src/insight/simulate/simulation-report.ts'
import { simulate } from '../../src/insight/simulate/simulation.ts'
import { freePort, startLine } from '../kit/request-line.ts'
import { type CommandResult, runCommand } from '../kit/run-command.ts'
import { percentile, SteadyLoad } from '../kit/steady-load.ts'

const root = new URL('../..', import.meta.url).pathname

const serviceMs = 60
const slowness = 5
const callers = 12
const pauseMs = 30
const runMs = 20_000

const mesh = `apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: app, labels: { app: app } }
spec: { ports: [{ name: http, port: 8080 }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: failing, labels: { app: app } }
spec: { ports: [{ name: http, port: 8081 }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
---
apiVersion: heddle.dev/v1alpha1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: DISABLE } }
`

/** The first of five is slow, the last fails. */
const scenarioText = `apiVersion: heddle.dev/v1alpha1
kind: Scenario
metadata: { name: real }
spec:
  duration: ${runMs}ms
  applications:
    - { workload: app, instances: 4, concurrency: 1000, serviceTime: { distribution: Constant, mean: ${serviceMs}ms } }
    - { workload: failing }
  clients: [{ workload: client, service: app, callers: ${callers}, pause: ${pauseMs}ms }]
  events:
    - { at: 0s, action: Slow, workload: app, count: 1, factor: ${slowness} }
    - { at: 0s, action: Fail, workload: failing, status: 503 }
`
/** One of them is as much a matter of chance as the real run. */
const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

interface Figures {
  readonly successRate: number
  readonly p50: number
  readonly p99: number
  readonly attemptsPerRequest: number
  /** Share of each instance in the attempts. */
  readonly shares: readonly number[]
}

function within15Percent(what: string, simulated: number, real: number): void {
  const figures = `${what}: ${simulated.toFixed(3)} simulated, ${real.toFixed(3)} real`
  process.stdout.write(`# ${figures}\n`)
  assert.ok(Math.abs(simulated - real) <= 0.15 * real, figures)
}

describe('heddle simulate', () => {
  it('agrees within 15 % with a real run of the same scenario', async () => {
    const { snapshot, scenarios, problems } = readSimulation(
      [{ path: 'mesh.yaml', text: mesh }],
      [{ path: 'scenario.yaml', text: scenarioText }],
    )
    assert.deepEqual(problems.map(formatProblem), [])
    const [scenario] = scenarios
    assert.ok(scenario !== undefined)
    const runs: Figures[] = []
    for (const seed of seeds) {
      const { successRatePercent, latencyMs, retryAmplification, applications, attempts } = reportRun(
        'simulated',
        await simulate({ scenario, snapshot, seed }),
        {},
      )
      runs.push({
        successRate: successRatePercent / 100,
        p50: latencyMs?.p50 ?? NaN,
        p99: latencyMs?.p99 ?? NaN,
        attemptsPerRequest: retryAmplification,
        shares: applications.flatMap(({ perInstance = [] }) => perInstance.map((count) => count / attempts)),
      })
    }
    const mean = (figure: (run: Figures) => number): number =>
      runs.reduce((sum, run) => sum + figure(run), 0) / runs.length
    const real = await realRun(new SimulatedMesh(snapshot, scenario))
    for (const what of ['successRate', 'p50', 'p99', 'attemptsPerRequest'] as const)
      within15Percent(
        what,
        mean((run) => run[what]),
        real[what],
      )
    const failing = real.shares.length - 1
    for (const [index, share] of real.shares.entries()) {
      const simulated = mean(({ shares }) => shares[index] ?? 0)
      if (index !== failing) within15Percent(`share of instance ${index}`, simulated, share)
      // a handful of requests until it is passed over, and those that try it again
      else
        assert.ok(share < 0.02 && simulated < 0.02, `share of the failing one: ${simulated} simulated, ${share} real`)
    }
  })

  it('writes the same bytes for the same seed, and others for another', async () => {
    await inFolder(async (folder) => {
      const play = async (name: string, seed: string): Promise<string[]> => {
        const [json, svg] = [join(folder, `${name}.json`), join(folder, `${name}.svg`)]
        const files = ['--json', json, '--svg', svg]
        const { exitCode, stdout, stderr } = await heddle(...example('bad-canary'), '--seed', seed, ...files)
        assert.equal(exitCode, 0, stderr)
        assert.match(stdout, /ATTEMPTS\/REQUEST/)
        return [stdout, await readFile(json, 'utf8'), await readFile(svg, 'utf8')]
      }
      const first = await play('first', '7')
      assert.deepEqual(await play('again', '7'), first)
      const other = await play('other', '8')
      for (const [index, text] of other.entries()) assert.notEqual(text, first[index])
      assert.match(first[2] as string, /^<svg xmlns=[^]*<\/svg>\n$/)
    })
  })

  it('exits with 1 when it is not as expected, and with 2 for what it cannot play, with file and line', async () => {
    await inFolder(async (folder) => {
      const text = await readFile(join(root, 'examples/scenarios/bad-canary.yaml'), 'utf8')
      const changed = async (from: string, to: string): Promise<CommandResult> => {
        assert.ok(text.includes(from), from)
        const path = join(folder, 'scenario.yaml')
        await writeFile(path, text.replace(from, to))
        return heddle('-f', 'examples/scenarios/mesh.yaml', '--scenario', path)
      }
      const unmet = await changed('successRate: 99.9', 'successRate: 100')
      assert.equal(unmet.exitCode, 1, unmet.stderr)
      assert.match(unmet.stdout, /successRate +at least 100 % .* no\n/)
      for (const [from, to, problem] of [
        [
          'service: reviews,',
          'service: review,',
          /scenario\.yaml:17:45: error HDL008: there is no Service "review".*"reviews"/,
        ],
        ['action: Fail', 'action: Fial', /scenario\.yaml:19:\d+: error HDL005: .*Did you mean "Fail"/],
        ['rate: 500', 'rate: -1', /scenario\.yaml:17:\d+: error HDL005: /],
        ['at: 10s', 'at: 90s', /scenario\.yaml:19:\d+: error HDL005: nothing happens at 90s/],
        ['kind: Scenario', 'kind: Scenaria', /scenario\.yaml:3:\d+: error HDL003: .*"Scenario"/],
      ] as const) {
        const { exitCode, stderr } = await changed(from, to)
        assert.equal(exitCode, 2, stderr)
        assert.match(stderr, problem)
      }
    })
  })
})

/** On what a proxy would run, but for where its endpoints are. */
async function realRun(simulatedMesh: SimulatedMesh): Promise<Figures> {
  const placed = [...simulatedMesh.instances.values()].flat()
  const received = placed.map(() => 0)
  const servers: Server[] = []
  const portOf = new Map<string, number>()
  for (const [index, { host }] of placed.entries()) {
    const server = createServer((request, response) => {
      request.resume()
      received[index] = (received[index] ?? 0) + 1
      if (index === placed.length - 1) response.writeHead(503).end()
      else setTimeout(() => response.end('ok'), index === 0 ? serviceMs * slowness : serviceMs)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    servers.push(server)
    portOf.set(host, (server.address() as AddressInfo).port)
  }
  const client = {
    workload: 'client',
    proxies: 1,
    zones: [],
    service: 'app',
    port: 80,
    pause: '0ms',
    getPercent: 100,
  }
  const { config, listener } = simulatedMesh.clientConfig(client)
  const port = await freePort()
  const clusters = [...config.clusters].map(([name, cluster]) => {
    const endpoints = cluster.endpoints.map((one) => ({ ...one, host: '127.0.0.1', port: portOf.get(one.host) ?? 0 }))
    return [name, { ...cluster, endpoints }] as const
  })
  const test = await startLine({
    ...config,
    clusters: new Map(clusters),
    listeners: new Map([[listener.name, { ...listener, host: '127.0.0.1', port }]]),
  })
  try {
    await using load = new SteadyLoad({ url: `http://127.0.0.1:${port}/`, connections: callers, pauseMs })
    await new Promise((resolve) => setTimeout(resolve, runMs))
    const { ok, failures, latenciesMs } = await load.stop()
    const attempts = received.reduce((sum, one) => sum + one, 0)
    return {
      successRate: ok / (ok + failures.length),
      p50: percentile(latenciesMs, 0.5),
      p99: percentile(latenciesMs, 0.99),
      attemptsPerRequest: attempts / (ok + failures.length),
      shares: received.map((count) => count / attempts),
    }
  } finally {
    await test.line.stop()
    for (const server of servers) {
      server.closeAllConnections()
      server.close()
    }
  }
}

function example(scenario: string): string[] {
  return ['-f', 'examples/scenarios/mesh.yaml', '--scenario', `examples/scenarios/${scenario}.yaml`]
}

function heddle(...args: string[]): Promise<CommandResult> {
  return runCommand(join(root, 'heddle'), ['simulate', ...args], { cwd: root, timeoutMs: 60_000 })
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-simulate-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}
