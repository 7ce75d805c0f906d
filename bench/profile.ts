// `node bench/profile.ts [WORK] [--seconds N] [--warmup N] [--top N] [--policy NAME|all] [--documents FILE]`: one work through Heddle alone, and the functions in which its proxies spend their time.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { Heddle } from './heddle.ts'
import { policyVariants } from './policies.ts'
import type { Serving } from './proxy-under-test.ts'
import { amount } from './report.ts'
import { openSession } from './session.ts'
import { works } from './works.ts'

interface CpuProfile {
  /** Of the monotonic clock, in microseconds. */
  readonly startTime: number
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '1' },
    top: { type: 'string', default: '30' },
    policy: { type: 'string' },
    documents: { type: 'string' },
  },
})
const name = positionals[0] ?? 'mtls-two-hops-64'
const work = works.find((one) => one.name === name)
if (work === undefined) throw new Error(`no such work: ${name}`)

const rewrite = policyVariants.get(values.policy ?? '')
if (values.policy !== undefined && rewrite === undefined)
  throw new Error(`no such policy: ${values.policy}; there are ${[...policyVariants.keys()].join(', ')}`)

const session = await openSession()
const profiles = mkdtempSync(join(tmpdir(), 'heddle-profile-'))
const proxies = join(profiles, 'proxies')
mkdirSync(proxies)
const env = { NODE_OPTIONS: `--cpu-prof --cpu-prof-interval 200 --cpu-prof-dir=${proxies}` }
const tree = join(import.meta.dirname, '..')
const { documents } = values
const heddle = new Heddle(
  {
    name: 'heddle',
    tree,
    env,
    ...(rewrite === undefined ? {} : { rewrite }),
    ...(documents === undefined ? {} : { documents }),
  },
  session.bench,
)
let serving: Serving | undefined
let pids: readonly number[] = []
let measuredFromUs = 0
let measuredUntilUs = 0
try {
  serving = await heddle.serve(work.topology)
  pids = serving.pids()
  // What comes first is warm-up, and what came before is the start of the process.
  measuredFromUs = monotonicUs() + Number(values.warmup) * 1_000_000 + 300_000
  const sample = await work.measure(serving, {
    seconds: Number(values.seconds),
    warmupSeconds: Number(values.warmup),
    firstWarmupSeconds: Number(values.warmup),
    hugeBodyBytes: 512 << 20,
  })
  measuredUntilUs = monotonicUs()
  console.log(
    `${work.name}: ${Object.entries(sample)
      .map(([metric, value]) => `${metric} ${amount(value)}`)
      .join(', ')}`,
  )
} finally {
  await serving?.stop() // profiles are written when the processes end
  await session.stop()
}
for (const pid of pids) print(pid)
console.log(`\nprofiles (for chrome://inspect or speedscope): ${proxies}`)

function print(pid: number): void {
  const file = readdirSync(proxies).find((one) => one.split('.')[3] === `${pid}`)
  if (file === undefined) return console.log(`\nprocess ${pid} left no profile`)
  const profile = JSON.parse(readFileSync(join(proxies, file), 'utf8')) as CpuProfile
  const names = new Map(profile.nodes.map(({ id, callFrame: frame }) => [id, frameName(frame)]))
  const selfUs = new Map<string, number>()
  let total = 0
  let clockUs = profile.startTime
  for (const [i, id] of profile.samples.entries()) {
    const frame = names.get(id) as string
    const us = profile.timeDeltas[i] as number
    clockUs += us
    if (frame === '(idle)' || clockUs < measuredFromUs || clockUs > measuredUntilUs) continue
    total += us
    selfUs.set(frame, (selfUs.get(frame) ?? 0) + us)
  }
  console.log(`\nprocess ${pid}: ${(total / 1e6).toFixed(2)} s busy`)
  for (const [frame, us] of [...selfUs].toSorted((a, b) => b[1] - a[1]).slice(0, Number(values.top)))
    console.log(`${((us / total) * 100).toFixed(1).padStart(6)} %  ${frame}`)
}

function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1_000n)
}

function frameName({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const place = url === '' ? '' : `  ${url.replace(/^.*\/(src\/|node_modules\/)/, '$1')}:${lineNumber + 1}`
  return `${functionName === '' ? '(anonymous)' : functionName}${place}`
}
