// What examples/scenarios/README.md says of each scenario: what the defaults make of it, and what a naive configuration does.
import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { formatProblem } from '../../src/contracts/problem.ts'
import type { SourceFile } from '../../src/control/sources/source.ts'
import { readSimulation } from '../../src/insight/simulate/simulation-files.ts'
import { type IntervalReport, type RunReport, reportRun } from '../../src/insight/simulate/simulation-report.ts'
import { simulate } from '../../src/insight/simulate/simulation.ts'

const root = new URL('../../examples/scenarios/', import.meta.url)

function file(name: string): SourceFile {
  return { path: name, text: readFileSync(new URL(name, root), 'utf8') }
}

async function play(scenarioName: string, ...added: string[]): Promise<RunReport> {
  const meshFiles = ['mesh.yaml', ...added].map(file)
  const { snapshot, scenarios, problems } = readSimulation(meshFiles, [file(`${scenarioName}.yaml`)])
  expect(problems.map(formatProblem)).toEqual([])
  const [scenario] = scenarios
  if (scenario === undefined) throw new Error(`${scenarioName} has no scenario`)
  return reportRun(scenarioName, await simulate({ scenario, snapshot, seed: scenario.spec.seed }), scenario.spec.expect)
}

function expectMet({ expectations }: RunReport): void {
  expect(expectations.length).toBeGreaterThan(0)
  expect(expectations.filter(({ met }) => !met)).toEqual([])
}

/** Percent of the requests of that part of the run, in intervals of a sixtieth. */
function failedPercent({ series }: RunReport, from: number, to = series.length): number {
  const part = series.slice(from, to)
  const sum = (value: (interval: IntervalReport) => number): number =>
    part.reduce((total, interval) => total + value(interval), 0)
  return (100 * sum(({ failed }) => failed)) / sum(({ requests }) => requests)
}

const timeout = 60_000

describe('the example scenarios', () => {
  it(
    'slow-instance: nobody notices it, where round robin loses a tenth',
    async () => {
      const [defaults, naive] = [await play('slow-instance'), await play('slow-instance', 'naive/unprotected.yaml')]
      expectMet(defaults)
      expect(defaults.successRatePercent).toBe(100)
      expect(failedPercent(naive, 20, 45)).toBeGreaterThan(7)
    },
    timeout,
  )

  it(
    'bad-canary: it is ejected within a second, where its share fails for ever',
    async () => {
      const [defaults, naive] = [await play('bad-canary'), await play('bad-canary', 'naive/unprotected.yaml')]
      expectMet(defaults)
      expect(defaults.faults[0]?.timeToEjectMs).toBeLessThan(1_000)
      expect(failedPercent(naive, 50)).toBeGreaterThan(8)
    },
    timeout,
  )

  it(
    'zone-outage: over after seconds, where a third fails as long as it lasts',
    async () => {
      const [defaults, naive] = [await play('zone-outage'), await play('zone-outage', 'naive/unprotected.yaml')]
      expectMet(defaults)
      expect(failedPercent(defaults, 22, 45)).toBeLessThan(0.1)
      expect(failedPercent(naive, 22, 45)).toBeGreaterThan(25)
    },
    timeout,
  )

  it.each([
    { name: 'retry-storm', wellAgainAt: 33 },
    { name: 'thundering-herd', wellAgainAt: 24 },
    { name: 'overload', wellAgainAt: 50 },
  ])(
    '$name: well again when it is over, where eager retries keep the service down',
    async ({ name, wellAgainAt }) => {
      const [defaults, naive] = [await play(name), await play(name, 'naive/eager-retries.yaml')]
      expectMet(defaults)
      expect(failedPercent(defaults, wellAgainAt)).toBeLessThan(0.1)
      expect(failedPercent(naive, wellAgainAt)).toBeGreaterThan(90)
      expect(naive.retryAmplification).toBeGreaterThan(3)
    },
    timeout,
  )

  it(
    'overload: adaptive concurrency serves as many, five times as fast',
    async () => {
      const [defaults, guarded] = [await play('overload'), await play('overload', 'guarded.yaml')]
      expectMet(guarded)
      expect(guarded.succeeded).toBeGreaterThan(defaults.succeeded)
      expect(guarded.latencyMs?.p99).toBeLessThan((defaults.latencyMs?.p99 ?? 0) / 5)
    },
    timeout,
  )
})
