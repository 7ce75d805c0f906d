// `node bench/micro/simulation.ts`: CPU time of a simulation of 10,000 endpoints and 1,000,000 requests, and of one in which a zone is lost.
import { simulateAside } from '../../src/cli/verbs/simulate-aside.ts'

const goalSeconds = 30

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

async function run(name: string, events: string): Promise<boolean> {
  const text = `apiVersion: heddle.dev/v1alpha1
kind: Scenario
metadata: { name: large }
spec:
  duration: 10s
  applications: [{ workload: app, instances: 10000, zones: [a, b, c] }]
  clients: [{ workload: client, service: app, rate: 100000, getPercent: 90, timeout: 5s }]
  events: [${events}]
`
  const before = process.cpuUsage()
  const report = await simulateAside({
    name,
    mesh: [{ path: 'mesh.yaml', text: mesh }],
    scenario: [{ path: 'large.yaml', text }],
    seed: 1,
  })
  const { user, system } = process.cpuUsage(before)
  const seconds = (user + system) / 1e6
  const figures = `${report.requests} requests, ${report.successRatePercent} % succeeded, ${report.faults[0]?.ejections ?? 0} ejections`
  console.log(`${name}: ${figures}: ${seconds.toFixed(1)} s of CPU time (goal: below ${goalSeconds} s)`)
  return seconds < goalSeconds
}

const calm = await run('10,000 endpoints', '')
const outage = await run('a zone killed for three seconds', '{ at: 3s, for: 3s, action: Kill, workload: app, zone: a }')
process.exitCode = calm && outage ? 0 : 1
