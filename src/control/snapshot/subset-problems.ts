// Subsets of a TrafficPolicy that nobody is in.
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { nearest } from '../model/nearest.ts'
import type { DocumentIndex } from './document-index.ts'
import type { ProblemList } from './route-attachment.ts'
import type { PortDraft } from './services.ts'

/** `ports`: those that the policy applies to. */
export function explainSubsets(
  policy: ModelDocument<'TrafficPolicy'>,
  ports: readonly PortDraft[],
  index: DocumentIndex,
  problems: ProblemList,
): void {
  const subsets = policy.spec.loadBalancing?.subsets
  if (subsets === undefined) return
  const workloads = ports.flatMap(({ endpoints }) => endpoints.flatMap((one) => labelsOf(one, index)))
  const path = ['spec', 'loadBalancing', 'subsets']
  for (const [position, { label }] of subsets.keys.entries()) {
    if (workloads.some((labels) => labels[label] !== undefined)) continue
    const meant = nearest(label, [...new Set(workloads.flatMap((labels) => Object.keys(labels)))])
    const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
    const message = `no workload behind it has the label "${label}": nobody can be chosen by it`
    problems.add(documentProblem(policy, 'HDL010', 'warning', [...path, 'keys', position, 'label'], message, hint))
  }
  const wanted = Object.entries(subsets.default ?? {})
  if (workloads.some((labels) => wanted.every(([key, value]) => labels[key] === value))) return
  if (wanted.length === 0) return
  const message = 'no workload behind it has these labels: requests that choose nothing are answered with 503'
  problems.add(documentProblem(policy, 'HDL010', 'warning', [...path, 'default'], message))
}

function labelsOf(endpoint: PortDraft['endpoints'][number], index: DocumentIndex): Readonly<Record<string, string>>[] {
  if (endpoint.kind === 'address') return []
  const [namespace, name] = endpoint.workload.split('/') as [string, string]
  const workload = index.get('Workload', namespace, name)
  return workload === undefined ? [] : [workload.metadata.labels]
}
