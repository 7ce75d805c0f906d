// `npm run bench:config [changes]`: a real mesh under steady load, its YAML changed a thousand times in a row. Prints how long a change takes from the
// saved file to moved traffic, and what broke. Exits 1 when anything broke, or when one change in a hundred took longer than 100 ms.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePorts } from '../../test/kit/free-ports.ts'
import { startMesh } from '../../test/kit/running-mesh.ts'
import { percentile, SteadyLoad } from '../../test/kit/steady-load.ts'
import { meshDocuments, routeDocument } from './documents.ts'
import type { Colour } from './documents.ts'
import { OpenStreams } from './open-streams.ts'

const changes = Number(process.argv[2] ?? 1_000)
const limitMs = 100
const connections = 8
const streams = 8
/** Every so many changes the route moves to the other colour, whose cluster the caller's proxy must first ask for. */
const changesPerColour = 5
const patienceMs = 10_000

const folder = await mkdtemp(join(tmpdir(), 'heddle-bench-'))
const [blue = 0, green = 0] = await freePorts(2)
await writeFile(join(folder, 'mesh.yaml'), meshDocuments({ blue, green }))
await saveRoute(0)
const mesh = await startMesh({ files: [folder] })
try {
  const address = mesh.workload('caller').services.find(({ name }) => name === 'app')?.address
  if (address === undefined) throw new Error('mesh.json names no listener of the caller for the Service app')
  process.exitCode = await measure(`http://${address}/`)
} finally {
  await mesh.stop()
  await rm(folder, { recursive: true, force: true })
}

async function measure(url: string): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  await inForce(url, agent, 0, [])
  const failedProbes: string[] = []
  await using load = new SteadyLoad({ url, connections, pauseMs: 10 })
  const open = new OpenStreams(`${url}stream`, streams)
  const latenciesMs: number[] = []
  for (let change = 1; change <= changes; change++) {
    const savedMs = performance.now()
    await saveRoute(change)
    await inForce(url, agent, change, failedProbes)
    latenciesMs.push(performance.now() - savedMs)
    if (change % 100 === 0) process.stderr.write(`${change} changes\n`)
  }
  const broken = open.close()
  const { ok, failures: failedRequests, connectionsOpened } = await load.stop()
  const failures = [...failedRequests, ...failedProbes]
  agent.destroy()

  const dropped = Math.max(0, connectionsOpened - connections)
  const p99Ms = percentile(latenciesMs, 0.99)
  const lines = [
    `changes             ${changes}`,
    `requests            ${ok} ok, ${failures.length} failed`,
    `connections         ${connections} kept alive, ${dropped} dropped`,
    `streams             ${streams} open, ${broken.length} broken`,
    `file to traffic     p50 ${percentile(latenciesMs, 0.5).toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, max ${percentile(latenciesMs, 1).toFixed(1)} ms`,
    ...[...failures, ...broken].slice(0, 20).map((failure) => `  ${failure}`),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  return failures.length === 0 && dropped === 0 && broken.length === 0 && p99Ms <= limitMs ? 0 : 1
}

function colourOf(change: number): Colour {
  return Math.floor(change / changesPerColour) % 2 === 0 ? 'blue' : 'green'
}

/** As editors save: a new file, renamed over the old one. */
async function saveRoute(change: number): Promise<void> {
  const file = join(folder, 'route.yaml')
  await writeFile(`${file}.new`, routeDocument(change, colourOf(change)))
  await rename(`${file}.new`, file)
}

/** Asks, one request after the other, until an answer is of that change. What fails meanwhile goes to `failures`. */
async function inForce(url: string, agent: Agent, change: number, failures: string[]): Promise<void> {
  const untilMs = performance.now() + patienceMs
  for (;;) {
    const answer = await ask(url, agent)
    if (answer === `200 ${change} ${colourOf(change)}`) return
    if (!answer.startsWith('200 ')) failures.push(`change ${change}: ${answer}`)
    if (performance.now() > untilMs) {
      const output = mesh.output().slice(-4_000)
      throw new Error(`change ${change} did not reach traffic within ${patienceMs} ms: ${answer}\n${output}`)
    }
  }
}

/** "status change body", or what went wrong. */
function ask(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    get(url, { agent, timeout: patienceMs }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('error', (error) => resolve(error.message))
      response.on('end', () => resolve(`${response.statusCode} ${response.headers['x-change']?.toString()} ${body}`))
    })
      .on('timeout', () => resolve(`no answer within ${patienceMs} ms`))
      .on('error', (error) => resolve(error.message))
  })
}
