import { expect, it } from 'vitest'

import { formatProblem } from '../../contracts/problem.ts'
import { readSimulation } from './simulation-files.ts'

const mesh = `apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ name: http, port: 80 }, { name: tcp, port: 90 }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: app, labels: { app: app } }
spec: { ports: [{ name: http, port: 80 }, { name: tcp, port: 90 }] }
---
apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: client }
`

function problemsOf(spec: string): string[] {
  const text = `apiVersion: heddle.dev/v1alpha1
kind: Scenario
metadata: { name: test }
spec:
${spec}
`
  const { problems } = readSimulation([{ path: 'mesh.yaml', text: mesh }], [{ path: 's.yaml', text }])
  return problems.map(formatProblem)
}

const applications = '  applications: [{ workload: app }]'
const clients = '  clients: [{ workload: client, service: app, rate: 10 }]'

it('takes a scenario that fits its mesh', () => {
  expect(problemsOf(`${applications}\n${clients}`)).toEqual([])
})

it.each([
  [
    '  applications: [{ workload: ap }]',
    clients,
    /s\.yaml:5:30: error HDL008: there is no Workload "ap" \(Did you mean "app"/,
  ],
  [applications, clients.replace('client,', 'clint,'), /s\.yaml:6:25: error HDL008: there is no Workload "clint"/],
  [
    applications,
    clients.replace('rate', 'port: 81, rate'),
    /s\.yaml:6:\d+: error HDL008: there is no port of app "81"/,
  ],
  [applications, clients.replace('rate', 'port: 90, rate'), /error HDL010: app:90 carries bytes/],
  [
    '  applications: [{ workload: client }]',
    clients,
    /s\.yaml:6:\d+: warning HDL008: no application says how default\/app behaves/,
  ],
  [applications, clients.replace(', rate: 10', ''), /error HDL006: one of "rate" and "callers" must be given/],
  [
    applications,
    clients.replace('rate: 10', 'rate: 10, callers: 3'),
    /error HDL005: rate and callers exclude each other/,
  ],
  [applications, `${clients}\n  warmUp: 60s`, /error HDL005: 60s is no shorter than the whole run/],
  [
    applications,
    `${clients}\n  events: [{ at: 1s, action: Kill, workload: client }]`,
    /HDL008: there is no application "client"/,
  ],
  [
    applications,
    `${clients}\n  events: [{ at: 1s, action: Surge, workload: app }]`,
    /HDL008: there is no client with a rate "app"/,
  ],
  [
    applications.replace('app }', 'app, serviceTime: { distribution: LogNormal, median: 5s, p99: 1s } }'),
    clients,
    /HDL005: 1s is no longer than the median, 5s/,
  ],
])('says what is wrong and where: %s %s', (first, second, expected) => {
  expect(problemsOf(`${first}\n${second}`)).toContainEqual(expect.stringMatching(expected))
})
