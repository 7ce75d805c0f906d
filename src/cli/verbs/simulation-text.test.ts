import { describe, expect, it } from 'vitest'

import { drawSvg } from '../../insight/simulate/draw-svg.ts'
import type { RunReport, SimulationReport } from '../../insight/simulate/simulation-report.ts'
import type { CliHost } from '../host.ts'
import { Output } from '../output.ts'
import { drawSimulation } from './simulation-text.ts'

function run(name: string, failed: number): RunReport {
  return {
    name,
    requests: 600,
    succeeded: 600 - failed,
    successRatePercent: (100 * (600 - failed)) / 600,
    failures: failed === 0 ? {} : { 503: failed },
    latencyMs: { mean: 12, p50: 10, p90: 20, p99: 40, p999: 80, max: 90 },
    attempts: 660,
    retryAmplification: 1.1,
    applications: [
      { workload: 'app', instances: 2, least: 300, mean: 330, most: 360, variation: 0.09, zones: { a: 40, b: 60 } },
    ],
    faults: [
      { what: 'kill app', atMs: 3_000, instances: 2, ejections: 2, timeToEjectMs: 250, timeToRecoverMs: 12_000 },
    ],
    expectations: [{ what: 'p99', wanted: 'at most 30ms', found: '40ms', met: false }],
    series: Array.from({ length: 60 }, (_, i) => ({
      requests: 10,
      failed: i === 30 ? failed : 0,
      attempts: 11,
      p50Ms: 10,
      p99Ms: i === 30 ? 80 : 20,
    })),
  }
}

const report: SimulationReport = {
  scenario: 'a & b',
  seed: 7,
  durationMs: 6_000,
  events: [{ atMs: 3_000, forMs: 1_000, what: 'kill <app>' }],
  runs: [run('mesh', 0), run('naive', 5)],
}

function draw(width: number, env: CliHost['env'], isTTY: boolean): string {
  const stream = { write: () => true, columns: width, isTTY }
  return drawSimulation(report, new Output({ stdout: stream, stderr: stream, env } as unknown as CliHost), width)
}

describe('a simulation in the terminal', () => {
  it('says what there is to say', () => {
    const text = draw(120, {}, false)
    expect(text).toContain('a & b seed 7, 6s')
    expect(text).toMatch(/naive +600 +99\.16/)
    expect(text).toContain('mesh   ▃▃▃▃')
    expect(text).toMatch(/naive +503 +5\n/)
    expect(text).toMatch(/mesh +kill app +2 +250ms +12s\n/)
    expect(text).toMatch(/p99 +at most 30ms +40ms +no\n/)
  })

  it.each([40, 60, 80, 100])('fits %i columns', (width) => {
    for (const line of draw(width, {}, false).split('\n')) expect(line.length, line).toBeLessThanOrEqual(width)
  })

  it('marks the highest even where a character stands for several parts', () => {
    expect(draw(40, {}, false)).toMatch(/naive +▃+█▃+\n/)
  })

  it('has colour on a terminal, and none with NO_COLOR', () => {
    expect(draw(120, {}, true)).toContain('\u001B[')
    expect(draw(120, { NO_COLOR: '1' }, true)).not.toContain('\u001B[')
  })
})

it('is drawn as SVG with every name escaped', () => {
  const svg = drawSvg(report)
  expect(svg).toContain('a &amp; b, seed 7')
  expect(svg).toContain('kill &lt;app&gt;')
  expect(svg.match(/<polyline /g)).toHaveLength(6)
  expect(svg).not.toContain('NaN')
})
