// What a TrafficPolicy says of workloads that nobody is, or leaves out.
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { nearest } from '../model/nearest.ts'
import type { DocumentIndex } from './document-index.ts'
import type { ProblemList } from './route-attachment.ts'
import type { PortDraft } from './services.ts'

/** What the sidecars of its workloads would do, of one that has none. */
export function explainSidecars(policy: ModelDocument<'TrafficPolicy'>, problems: ProblemList): void {
  const { adaptiveConcurrency, circuitBreaker } = policy.spec
  const explain = (...path: string[]): void => {
    const message = `${path.join('.')} does nothing for an ExternalService: there is no sidecar in front of it`
    problems.add(documentProblem(policy, 'HDL010', 'warning', ['spec', ...path], message))
  }
  if (adaptiveConcurrency !== undefined) explain('adaptiveConcurrency')
  if (circuitBreaker?.perCaller !== undefined) explain('circuitBreaker', 'perCaller')
}

/** `ports`: those that the policy applies to. */
export function explainSubsets(
  policy: ModelDocument<'TrafficPolicy'>,
  ports: readonly PortDraft[],
  index: DocumentIndex,
  problems: ProblemList,
): void {
  const subsets = policy.spec.loadBalancing?.subsets
  if (subsets === undefined) return
  const workloads = workloadsOf(ports, index).map(({ metadata }) => metadata.labels)
  if (ports.length === 0) return
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

/** Workloads in a place that is to get nothing, because it is not named. */
export function explainWeights(
  policy: ModelDocument<'TrafficPolicy'>,
  ports: readonly PortDraft[],
  index: DocumentIndex,
  problems: ProblemList,
): void {
  const weights = policy.spec.loadBalancing?.locality.weights
  if (weights === undefined) return
  for (const { id, spec } of workloadsOf(ports, index)) {
    const { region, zone, subZone } = spec.locality ?? {}
    const named = weights.some(
      (entry) =>
        entry.region === region &&
        (entry.zone === undefined || entry.zone === zone) &&
        (entry.subZone === undefined || entry.subZone === subZone),
    )
    if (named) continue
    const place = [region, zone, subZone].filter((part) => part !== undefined).join('/')
    const where = place === '' ? 'has no locality' : `is in ${place}, which has no weight`
    const path = ['spec', 'loadBalancing', 'locality', 'weights']
    problems.add(documentProblem(policy, 'HDL010', 'warning', path, `nothing goes to ${id}: it ${where}`))
  }
}

/** Each once. */
function workloadsOf(ports: readonly PortDraft[], index: DocumentIndex): ModelDocument<'Workload'>[] {
  const names = ports.flatMap(({ endpoints }) =>
    endpoints.flatMap((endpoint) => (endpoint.kind === 'address' ? [] : [endpoint.workload])),
  )
  return [...new Set(names)]
    .toSorted()
    .flatMap((name) => index.get('Workload', ...(name.split('/') as [string, string])) ?? [])
}
