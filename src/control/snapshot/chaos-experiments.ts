// ChaosExperiments → what each does to whom, and whose callers are to bear it. Whether it is at work is not of the configuration.
import { createHash } from 'node:crypto'

import { hostPort } from '../../contracts/xds/names.ts'
import { parseRfc3339 } from '../../core/rfc3339.ts'
import { durationMs } from '../../policies/scalars.schema.ts'
import type { ChaosExperimentSpec } from '../model/chaos-experiment-kind.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { nearest } from '../model/nearest.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshExperiment } from './mesh-snapshot.ts'
import { carriesRequests } from './port-protocol.ts'
import type { ProblemList } from './route-attachment.ts'
import { ServiceTargets } from './service-targets.ts'
import type { PortDraft, ServiceDraft } from './services.ts'
import { badCondition, goodCondition } from './status.ts'
import type { Condition, DocumentStatus } from './status.ts'
import { compileFaults } from './traffic-policies.ts'

export interface CompiledExperiments {
  /** By document id. */
  readonly experiments: ReadonlyMap<string, MeshExperiment>
  readonly statuses: ReadonlyMap<string, DocumentStatus>
}

/** `services`: with what TrafficPolicies say. */
export function compileExperiments(
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  problems: ProblemList,
): CompiledExperiments {
  const experiments = new Map<string, MeshExperiment>()
  const statuses = new Map<string, DocumentStatus>()
  for (const document of index.all('ChaosExperiment')) {
    const { fault, ports } = targetsOf(document, index, services, problems)
    const refused = fault ?? judgedFault(document, index, problems)
    experiments.set(document.id, toExperiment(document, refused === undefined ? namesOf(ports, services) : []))
    statuses.set(document.id, { conditions: [refused ?? goodCondition('Accepted', 'the experiment may start')] })
  }
  return { experiments, statuses }
}

function toExperiment({ namespace, name, spec }: ModelDocument<'ChaosExperiment'>, targets: string[]): MeshExperiment {
  const { hypothesis, startTime, suspend, ...others } = spec
  const { successRate, p99, window, minRequests } = hypothesis
  const startTimeMs = startTime === undefined ? undefined : parseRfc3339(startTime)
  return {
    namespace,
    name,
    version: createHash('sha256')
      .update(JSON.stringify([others, hypothesis, startTime]))
      .digest('base64url')
      .slice(0, 16),
    targets,
    faults: compileFaults(spec.faults),
    judged: { namespace, name: judgedName(spec) ?? '' },
    hypothesis: {
      ...(successRate === undefined ? {} : { successRatePercent: successRate }),
      ...(p99 === undefined ? {} : { p99Ms: durationMs(p99) }),
      windowMs: durationMs(window),
      minRequests,
    },
    steadyStateMs: durationMs(others.steadyState),
    durationMs: durationMs(spec.duration),
    ...(startTimeMs === undefined ? {} : { startTimeMs }),
    suspend,
  }
}

/** With one fault none of the targets suffers: half an experiment says nothing. */
function targetsOf(
  document: ModelDocument<'ChaosExperiment'>,
  index: DocumentIndex,
  services: ReadonlyMap<string, ServiceDraft>,
  problems: ProblemList,
): { readonly fault?: Condition; readonly ports: readonly PortDraft[] } {
  const targets = new ServiceTargets(index, services, problems)
  const attached = document.spec.targetRefs.map((_, position) => targets.attach(document, position))
  const fault = attached.find(({ accepted }) => accepted.status === 'False')?.accepted
  if (fault !== undefined) return { fault, ports: [] }
  const ports = attached.flatMap((one) => one.ports)
  const refuse = (code: 'HDL010' | 'HDL012', reason: string, message: string, hint: string) => {
    problems.add(documentProblem(document, code, 'error', ['spec', 'targetRefs'], message, hint))
    return { fault: badCondition('Accepted', reason, message), ports: [] }
  }
  const carrying = ports.filter(({ protocol }) => carriesRequests(protocol))
  if (carrying.length === 0)
    return refuse(
      'HDL010',
      'Invalid',
      'its targets carry bytes, which know no faults',
      'Name a port that carries requests.',
    )
  if (carrying.some(({ traffic }) => traffic?.faults !== undefined))
    return refuse('HDL012', 'Conflicted', 'a TrafficPolicy has faults for its target already', 'Remove those.')
  return { ports: carrying }
}

function judgedFault(
  document: ModelDocument<'ChaosExperiment'>,
  index: DocumentIndex,
  problems: ProblemList,
): Condition | undefined {
  const { namespace, spec } = document
  const { targetRef } = spec.hypothesis
  const path = ['spec', 'hypothesis', 'targetRef']
  const name = judgedName(spec)
  if (name === undefined) {
    const message = 'the hypothesis does not say whose callers are to bear it: its only target is not one Service'
    problems.add(documentProblem(document, 'HDL006', 'error', path, message, 'Name a Service in "targetRef".'))
    return badCondition('Accepted', 'Invalid', message)
  }
  if (targetRef !== undefined && !isService(targetRef)) {
    const message = `callers of kind ${targetRef.kind} are not judged`
    problems.add(documentProblem(document, 'HDL010', 'error', [...path, 'kind'], message, 'Use Service.'))
    return badCondition('Accepted', 'Invalid', message)
  }
  if (index.get('Service', namespace, name) !== undefined) return undefined
  const meant = nearest(name, index.names('Service', namespace))
  const hint = meant === undefined ? undefined : `Did you mean "${meant}"?`
  const message = `there is no Service "${name}" in namespace ${namespace}`
  problems.add(documentProblem(document, 'HDL008', 'error', [...path, 'name'], message, hint))
  return badCondition('Accepted', 'TargetNotFound', message)
}

function judgedName({ hypothesis, targetRefs }: ChaosExperimentSpec): string | undefined {
  const [only, other] = targetRefs
  const { targetRef } = hypothesis
  if (targetRef !== undefined) return targetRef.name
  return other === undefined && only !== undefined && isService(only) ? only.name : undefined
}

function isService({ group, kind }: { readonly group: string; readonly kind: string }): boolean {
  return (group === '' || group === 'core') && kind === 'Service'
}

function namesOf(ports: readonly PortDraft[], services: ReadonlyMap<string, ServiceDraft>): string[] {
  return [...services].flatMap(([host, draft]) =>
    draft.ports.filter((port) => ports.includes(port)).map(({ port }) => hostPort(host, port)),
  )
}
