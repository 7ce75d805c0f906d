// `npm run conformance -- gateway-api-mesh DIR [--only NAME] [--json FILE]`: the Gateway API mesh suite against a real mesh, over real sockets.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

import { startMesh } from '../kit/running-mesh.ts'
import type { RunningMesh } from '../kit/running-mesh.ts'
import { writeMeshFolder } from './mesh-folder.ts'
import type { PodAddresses } from './mesh-folder.ts'
import { runCase } from './run-case.ts'
import { loadSuite } from './suite.ts'
import type { SuiteCase, SuiteTest } from './suite.ts'

interface Result {
  readonly test: string
  readonly case: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly durationMs: number
  readonly problems: readonly string[]
}

const usage = 'usage: npm run conformance -- gateway-api-mesh DIR [--only TEST] [--json FILE]'

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' }, json: { type: 'string' } },
  })
  const [suite, folder] = positionals
  if (suite !== 'gateway-api-mesh' || folder === undefined) {
    console.error(usage)
    process.exitCode = 2
    return
  }
  if (!existsSync(join(folder, 'cases.json'))) {
    console.error(`there is no ${join(folder, 'cases.json')}\n${usage}`)
    process.exitCode = 2
    return
  }
  const tests = loadSuite(folder).filter(({ test }) => values.only === undefined || test === values.only)
  if (tests.length === 0) {
    console.error(
      `no test is named ${values.only}; there are: ${loadSuite(folder)
        .map(({ test }) => test)
        .join(' ')}`,
    )
    process.exitCode = 2
    return
  }
  const results = await runAll(tests, resolve(folder))
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)
  const count = (outcome: Result['outcome']): number => results.filter((one) => one.outcome === outcome).length
  const skipped = count('skipped')
  console.log(`\n${count('passed')} passed, ${count('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exitCode = count('failed') === 0 ? 0 : 1
}

async function runAll(tests: readonly SuiteTest[], suiteFolder: string): Promise<Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-conformance-'))
  try {
    const pods = await writeMeshFolder(readFileSync(join(suiteFolder, 'base-manifests.yaml'), 'utf8'), folder)
    const mesh = await startMesh({ files: [folder] })
    try {
      const results: Result[] = []
      for (const test of tests) results.push(...(await runTest(test, suiteFolder, folder, mesh, pods)))
      return results
    } finally {
      await mesh.stop()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function runTest(
  { test, manifests, cases }: SuiteTest,
  suiteFolder: string,
  watched: string,
  mesh: RunningMesh,
  pods: PodAddresses,
): Promise<Result[]> {
  const grpc = cases.every(({ request }) => request.protocol === 'grpc')
  const results: Result[] = []
  if (!grpc) for (const manifest of manifests) apply(join(suiteFolder, manifest), join(watched, manifest))
  try {
    for (const one of cases) {
      const startMs = performance.now()
      const problems = grpc ? ['waits for GRPCRoute traffic'] : await runCase(one, mesh, pods)
      const outcome = grpc ? 'skipped' : problems.length === 0 ? 'passed' : 'failed'
      const result: Result = {
        test,
        case: describeCase(one),
        outcome,
        durationMs: Math.round(performance.now() - startMs),
        problems,
      }
      results.push(result)
      print(result)
    }
  } finally {
    if (!grpc) for (const manifest of manifests) rmSync(join(watched, manifest), { force: true })
  }
  return results
}

/** Appears whole or not at all. */
function apply(from: string, to: string): void {
  copyFileSync(from, `${to}.new`)
  renameSync(`${to}.new`, to)
}

function describeCase({ name, request }: SuiteCase): string {
  const headers = Object.entries(request.headers ?? {}).map(([key, value]) => ` ${key}: ${value}`)
  return name ?? `${request.method ?? 'GET'} ${request.host}${request.path}${headers.join('')}`
}

function print({ test, case: name, outcome, durationMs, problems }: Result): void {
  const mark = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' }[outcome]
  const time = `${durationMs} ms`.padStart(9)
  console.log(`${mark} ${time}  ${test.padEnd(42)} ${name}`)
  for (const problem of problems) console.log(`${' '.repeat(16)}${problem}`)
}

await main()
