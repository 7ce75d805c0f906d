// `npm run conformance -- gateway-api-mesh DIR [--only NAME] [--json FILE]`: the Gateway API mesh suite against a real mesh, over real sockets.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
import { WatchedFolder } from './watched-folder.ts'

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
    const watched = new WatchedFolder(folder, mesh)
    try {
      const results: Result[] = []
      for (const test of tests) results.push(...(await runTest(test, suiteFolder, watched, mesh, pods)))
      return results
    } finally {
      watched.close()
      await mesh.stop()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function runTest(
  { test, manifests, cases }: SuiteTest,
  suiteFolder: string,
  watched: WatchedFolder,
  mesh: RunningMesh,
  pods: PodAddresses,
): Promise<Result[]> {
  try {
    await watched.add(suiteFolder, manifests)
  } catch (error) {
    return cases.map((one) => print(test, one, 'failed', 0, [String(error)]))
  }
  const results: Result[] = []
  for (const one of cases) {
    const startMs = performance.now()
    const problems = await runCase(one, mesh, pods)
    const outcome = problems.length === 0 ? 'passed' : 'failed'
    results.push(print(test, one, outcome, Math.round(performance.now() - startMs), problems))
  }
  await watched.remove(manifests)
  return results
}

function describeCase({ name, request }: SuiteCase): string {
  const headers = Object.entries(request.headers ?? {}).map(([key, value]) => ` ${key}: ${value}`)
  return name ?? `${request.method ?? 'GET'} ${request.host}${request.path}${headers.join('')}`
}

function print(
  test: string,
  one: SuiteCase,
  outcome: Result['outcome'],
  durationMs: number,
  problems: readonly string[],
): Result {
  const result: Result = { test, case: describeCase(one), outcome, durationMs, problems }
  const mark = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' }[outcome]
  console.log(`${mark} ${`${durationMs} ms`.padStart(9)}  ${test.padEnd(42)} ${result.case}`)
  for (const problem of problems) console.log(`${' '.repeat(16)}${problem}`)
  return result
}

await main()
