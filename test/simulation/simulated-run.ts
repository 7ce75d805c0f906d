// A simulation from texts: a mesh of one service in one workload, changed by what a test adds, and a scenario.
import assert from 'node:assert/strict'

import { formatProblem } from '../../src/contracts/problem.ts'
import { analyzeFiles } from '../../src/control/configuration.ts'
import { documentsOfKind, Model } from '../../src/control/model/model.ts'
import { scenarioProblems } from '../../src/insight/simulate/simulated-mesh.ts'
import { type RunReport, reportRun } from '../../src/insight/simulate/simulation-report.ts'
import { simulate } from '../../src/insight/simulate/simulation.ts'

const mesh = `apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80 }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: app, labels: { app: app } }
spec: { ports: [{ name: http, port: 8080 }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
`

/** `spec`: of the scenario, YAML. `traffic`: of a TrafficPolicy for the service, YAML of a flow map's inside. */
export async function simulatedRun(spec: string, traffic = '', seed = 1): Promise<RunReport> {
  const policy = `---
apiVersion: heddle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: app }
spec: { targetRefs: [{ kind: Service, name: app }], ${traffic} }
`
  const text = `apiVersion: heddle.dev/v1alpha1
kind: Scenario
metadata: { name: test }
spec:
${spec.replaceAll(/^/gm, '  ')}
`
  const { snapshot, problems } = analyzeFiles([{ path: 'mesh.yaml', text: traffic === '' ? mesh : mesh + policy }])
  const model = new Model().update([{ path: 'scenario.yaml', text }])
  const [scenario] = documentsOfKind(model.documents, 'Scenario')
  assert.deepEqual([...problems, ...model.problems].map(formatProblem), [])
  assert.ok(scenario !== undefined)
  assert.deepEqual(scenarioProblems(scenario, snapshot).map(formatProblem), [])
  return reportRun('test', await simulate({ scenario, snapshot, seed }), scenario.spec.expect)
}
