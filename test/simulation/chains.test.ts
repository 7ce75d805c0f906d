// Applications that ask other services for what they answer: trouble at the end of a chain, and who repeats what.
import { describe, expect, it } from 'vitest'

import { formatProblem } from '../../src/contracts/problem.ts'
import { analyzeFiles } from '../../src/control/configuration.ts'
import { documentsOfKind, Model } from '../../src/control/model/model.ts'
import { scenarioProblems } from '../../src/insight/simulate/simulated-mesh.ts'
import { type RunReport, reportRun } from '../../src/insight/simulate/simulation-report.ts'
import { simulate } from '../../src/insight/simulate/simulation.ts'

function service(name: string, port: number): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 80 }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { ports: [{ name: http, port: ${port} }] }
---
`
}

const mesh = `${service('front', 8080)}${service('middle', 8081)}${service('back', 8082)}apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
`

function retries(name: string): string {
  return `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec:
  parentRefs: [{ group: '', kind: Service, name: ${name} }]
  rules: [{ retry: { codes: [500, 502, 503], attempts: 2, backoff: 1ms }, backendRefs: [{ name: ${name}, port: 80 }] }]
`
}

const constant = 'serviceTime: { distribution: Constant, mean: 5ms }, concurrency: 100'

function scenarioOf(events: string, middleCalls: string) {
  const text = `apiVersion: heddle.dev/v1alpha1
kind: Scenario
metadata: { name: test }
spec:
  duration: 20s
  warmUp: 2s
  applications:
    - { workload: front, instances: 2, ${constant}, calls: [{ service: middle, getPercent: 0, timeout: 1s }] }
    - { workload: middle, instances: 2, ${constant}, calls: [${middleCalls}] }
    - { workload: back, instances: 4, ${constant} }
  clients: [{ workload: client, service: front, getPercent: 0, rate: 100 }]
  events: [${events}]
`
  const model = new Model().update([{ path: 'scenario.yaml', text }])
  expect(model.problems.map(formatProblem)).toEqual([])
  const [scenario] = documentsOfKind(model.documents, 'Scenario')
  if (scenario === undefined) throw new Error('no scenario')
  return scenario
}

async function play(documents: string, events = '', middleCalls = '{ service: back }', seed = 1): Promise<RunReport> {
  const { snapshot, problems } = analyzeFiles([{ path: 'mesh.yaml', text: mesh + documents }])
  expect(problems.map(formatProblem)).toEqual([])
  const scenario = scenarioOf(events, middleCalls)
  expect(scenarioProblems(scenario, snapshot).map(formatProblem)).toEqual([])
  return reportRun('test', await simulate({ scenario, snapshot, seed }), scenario.spec.expect)
}

describe('a chain of services', () => {
  it('takes the time of all of them, and asks each as often as it is asked', async () => {
    const run = await play('')
    expect(run.successRatePercent).toBe(100)
    expect(run.latencyMs?.p50).toBeCloseTo(15, 3)
    expect(run.retryAmplification).toBe(1)
    expect(run.calls?.map(({ workload, service: asked }) => `${workload} ${asked}`)).toEqual([
      'front middle',
      'middle back',
    ])
    for (const { calls, successRatePercent, retryAmplification } of run.calls ?? []) {
      expect(Math.abs(calls - run.requests)).toBeLessThanOrEqual(3)
      expect([successRatePercent, retryAmplification]).toEqual([100, 1])
    }
    const [ofFront, , ofBack] = run.applications
    expect([ofFront?.instances, ofBack?.instances]).toEqual([2, 4])
    expect(await play('')).toEqual(run)
    expect((await play('', '', '{ service: back }', 2)).requests).not.toBe(run.requests)
  })

  it('asks twice where an application calls twice', async () => {
    const run = await play('', '', '{ service: back }, { service: back, getPercent: 0 }')
    expect(run.latencyMs?.p50).toBeCloseTo(20, 3)
    expect(run.calls).toHaveLength(3)
  })

  it('hands on what goes wrong at its end, and repeats it where the route says so', async () => {
    const failing = '{ at: 5s, for: 10s, action: Fail, workload: back, status: 500, percent: 30 }'
    const plain = await play('', failing)
    expect(plain.failures).toEqual({ '502': plain.requests - plain.succeeded })
    expect(plain.successRatePercent).toBeLessThan(90)
    const [atFront, atMiddle] = plain.calls ?? []
    expect(atFront?.successRatePercent).toBeCloseTo(atMiddle?.successRatePercent ?? 0, 0)
    const near = await play(retries('back'), failing)
    expect(near.successRatePercent).toBeGreaterThan(plain.successRatePercent + 5)
    expect(near.calls?.map(({ retryAmplification }) => retryAmplification > 1)).toEqual([false, true])
    // each hop repeats what the next one has repeated before
    const everywhere = await play(retries('back') + retries('middle') + retries('front'), failing)
    expect(everywhere.calls?.map(({ retryAmplification }) => retryAmplification > 1)).toEqual([true, true])
  })

  it('is held up by an instance that hangs, until who asks gives up', async () => {
    const run = await play('', '{ at: 5s, for: 5s, action: Hang, workload: back, count: 1 }')
    expect(run.failures['502']).toBeGreaterThan(0)
    expect(run.latencyMs?.p50).toBeCloseTo(15, 0)
  })

  it('outlives instances that die and are replaced in its midst', async () => {
    const killed = await play(retries('middle'), '{ at: 5s, for: 5s, action: Kill, workload: middle, count: 1 }')
    expect(killed.successRatePercent).toBeGreaterThan(98)
    const deployed = await play('', '{ at: 5s, action: Deploy, workload: middle, every: 2s }')
    expect(deployed.successRatePercent).toBe(100)
    expect(deployed.applications[1]?.instances).toBe(4)
  })

  it('never leads back to where it came from', () => {
    const { snapshot } = analyzeFiles([{ path: 'mesh.yaml', text: mesh }])
    const problems = (calls: string): string[] => scenarioProblems(scenarioOf('', calls), snapshot).map(formatProblem)
    expect(problems('{ service: front }')).toEqual([
      expect.stringMatching(/scenario\.yaml:9:\d+: error HDL010: front asks default\/middle in turn/) as string,
    ])
    expect(problems('{ service: middle }')).toHaveLength(1)
    expect(problems('{ service: bakc }')).toEqual([
      expect.stringMatching(/there is no Service "bakc" \(Did you mean "back"\?\)/) as string,
    ])
  })
})
