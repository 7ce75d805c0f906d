// What each workload and gateway tells of its requests: of Telemetry documents workload before namespace before mesh, field by field, and of
// equals the oldest.
import { rootNamespace } from '../../contracts/root-namespace.ts'
import { narrowedTelemetry, toTelemetrySpec } from '../../policies/telemetry/telemetry.schema.ts'
import type { TelemetryFields } from '../../policies/telemetry/telemetry.schema.ts'
import type { TelemetrySpec } from '../../policies/telemetry/telemetry.spec.ts'
import { documentProblem, sourceLocation } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { nearest } from '../model/nearest.ts'
import type { DocumentIndex } from './document-index.ts'
import { gatewayLabels } from './gateways.ts'
import type { MeshSettings, MeshSnapshot, MeshTelemetry } from './mesh-snapshot.ts'
import type { PolicyScopes, PolicySubject } from './policy-scopes.ts'
import type { ProblemList } from './route-attachment.ts'
import { compareAge } from './service-targets.ts'
import type { CompiledSettings } from './settings.ts'
import { badCondition, goodCondition } from './status.ts'
import type { DocumentStatus } from './status.ts'

type Telemetry = ModelDocument<'Telemetry'>
type MeshWide = Pick<CompiledSettings, 'telemetry' | 'collectorOf' | 'collectorNames'>
type Telling = Pick<MeshSnapshot, 'settings' | 'workloads' | 'gateways'>

/** `compiled`, with the telemetry of the mesh, and that of workloads and gateways where it is another. */
export function withTelemetry(
  index: DocumentIndex,
  scopes: PolicyScopes,
  meshWide: MeshWide,
  compiled: Telling,
  problems: ProblemList,
): Telling & { readonly statuses: ReadonlyMap<string, DocumentStatus> } {
  const documents = new TelemetryDocuments(index, scopes, meshWide, problems)
  const mesh = documents.ofMesh()
  const { tracing: _, ...others } = compiled.settings
  const settings = mesh === undefined ? compiled.settings : { ...others, ...ofSettings(mesh) }
  const workloads = mapped(compiled.workloads, ({ namespace, name, labels }) =>
    documents.of({ kind: 'Workload', namespace, name, labels }),
  )
  const gateways = mapped(compiled.gateways, ({ namespace, name }) => {
    const labels = gatewayLabels(name, index.get('Gateway', namespace, name)?.metadata.labels)
    return documents.of({ kind: 'Gateway', namespace, name, labels })
  })
  documents.reportIdle()
  return { settings, workloads, gateways, statuses: documents.statuses }
}

function ofSettings({ sources, ...telemetry }: MeshTelemetry): TelemetrySpec & Pick<MeshSettings, 'telemetrySources'> {
  return { ...telemetry, telemetrySources: sources }
}

function mapped<T>(
  all: ReadonlyMap<string, T>,
  telemetryOf: (one: T) => MeshTelemetry | undefined,
): ReadonlyMap<string, T> {
  return new Map(
    [...all].map(([key, one]) => {
      const telemetry = telemetryOf(one)
      return [key, telemetry === undefined ? one : { ...one, telemetry }]
    }),
  )
}

class TelemetryDocuments {
  readonly statuses = new Map<string, DocumentStatus>()
  readonly #scopes: PolicyScopes
  readonly #meshWide: MeshWide
  readonly #problems: ProblemList
  readonly #byNamespace = new Map<string, Telemetry>()
  /** By namespace, the oldest first. */
  readonly #choosing = new Map<string, Telemetry[]>()
  /** Those in force for something among them. */
  readonly #inForce = new Set<Telemetry>()
  /** Why others of them are not in force somewhere. */
  readonly #conflicts = new Map<Telemetry, string>()
  /** By the documents: most workloads of a namespace have the same. */
  readonly #merged = new Map<string, MeshTelemetry>()

  constructor(index: DocumentIndex, scopes: PolicyScopes, meshWide: MeshWide, problems: ProblemList) {
    this.#scopes = scopes
    this.#meshWide = meshWide
    this.#problems = problems
    for (const document of index.all('Telemetry').toSorted(compareAge)) {
      this.statuses.set(document.id, { conditions: [goodCondition('Accepted', 'the document is in force')] })
      this.#reportProviders(document)
      if (choosesSome(document)) this.#addChoosing(document)
      else this.#addNamespaceWide(document)
    }
  }

  /** Undefined: as the MeshConfig says. */
  ofMesh(): MeshTelemetry | undefined {
    const mesh = this.#byNamespace.get(rootNamespace)
    return mesh === undefined ? undefined : this.#narrowed([mesh])
  }

  /** Undefined: as the mesh. */
  of(subject: PolicySubject): MeshTelemetry | undefined {
    const { namespace } = subject
    const ofNamespace = namespace === rootNamespace ? undefined : this.#byNamespace.get(namespace)
    const narrower = [ofNamespace, this.#ofOne(subject)].filter((one) => one !== undefined)
    if (narrower.length === 0) return undefined
    const mesh = this.#byNamespace.get(rootNamespace)
    return this.#narrowed(mesh === undefined ? narrower : [mesh, ...narrower])
  }

  /** Those that are in force nowhere: what they choose has an older one, or they choose by labels that nothing has. */
  reportIdle(): void {
    for (const document of [...this.#choosing.values()].flat()) {
      if (this.#inForce.has(document)) continue
      const conflict = this.#conflicts.get(document)
      if (conflict !== undefined) this.#notAccepted(document, 'Conflicted', conflict)
      else if (document.spec.selector !== undefined) {
        const message = `no workload or gateway in namespace ${document.namespace} has these labels`
        const path = ['spec', 'selector', 'matchLabels']
        this.#problems.add(documentProblem(document, 'HDL008', 'warning', path, message))
      }
    }
  }

  /** `documents`: the widest scope first. */
  #narrowed(documents: readonly Telemetry[]): MeshTelemetry {
    const key = documents.map(({ id }) => id).join()
    const known = this.#merged.get(key)
    if (known !== undefined) return known
    const { telemetry, collectorOf } = this.#meshWide
    const fields = documents.reduce((wider, { spec }) => narrowedTelemetry(wider, spec), telemetry)
    this.#reportNobody(documents, fields)
    const sources = documents.map((document) => sourceLocation(document))
    const merged = { ...toTelemetrySpec(fields, collectorOf), sources }
    this.#merged.set(key, merged)
    return merged
  }

  #ofOne(subject: PolicySubject): Telemetry | undefined {
    const choosing = (this.#choosing.get(subject.namespace) ?? []).filter((one) => this.#scopes.chooses(one, subject))
    const [oldest, ...others] = choosing
    if (oldest !== undefined) this.#inForce.add(oldest)
    for (const other of others) {
      const message = `${oldest?.id ?? ''} applies to ${subject.kind} ${subject.namespace}/${subject.name} already`
      const path = ['spec', other.spec.selector === undefined ? 'targetRefs' : 'selector']
      this.#problems.add(documentProblem(other, 'HDL012', 'warning', path, message, 'Let one choose it.'))
      this.#conflicts.set(other, message)
    }
    return oldest
  }

  #addChoosing(document: Telemetry): void {
    const { namespace } = document
    if (namespace === rootNamespace) {
      const path = ['spec', document.spec.selector === undefined ? 'targetRefs' : 'selector']
      const message = `Telemetry of namespace ${rootNamespace} is about the whole mesh: it chooses nothing`
      const hint = 'Put it into the namespace of what it is to choose.'
      this.#problems.add(documentProblem(document, 'HDL010', 'error', path, message, hint))
      this.#notAccepted(document, 'Invalid', message)
      return
    }
    this.#scopes.resolve(document, this.#problems)
    this.#choosing.set(namespace, [...(this.#choosing.get(namespace) ?? []), document])
  }

  #addNamespaceWide(document: Telemetry): void {
    const { namespace } = document
    const first = this.#byNamespace.get(namespace)
    if (first === undefined) {
      this.#byNamespace.set(namespace, document)
      return
    }
    const message = `${first.id} is about the whole ${namespace === rootNamespace ? 'mesh' : 'namespace'} already`
    const path = ['metadata', 'name']
    this.#problems.add(documentProblem(document, 'HDL012', 'warning', path, message, 'Remove one of them.'))
    this.#notAccepted(document, 'Conflicted', message)
  }

  #reportProviders(document: Telemetry): void {
    const { tracing, accessLogs } = document.spec
    this.#reportProvider(document, 'tracing', tracing?.provider?.name, 'there are no spans')
    this.#reportProvider(document, 'accessLogs', accessLogs?.provider?.name, "lines stay in the proxies' output")
  }

  #reportProvider(document: Telemetry, field: string, name: string | undefined, consequence: string): void {
    const names = this.#meshWide.collectorNames
    if (name === undefined || names.includes(name)) return
    const meant = nearest(name, names)
    const message = `no extension provider of the MeshConfig with "opentelemetry" is called "${name}": ${consequence}`
    const hint = meant === undefined ? 'Add it to extensionProviders.' : `Did you mean "${meant}"?`
    this.#problems.add(documentProblem(document, 'HDL008', 'error', ['spec', field, 'provider', 'name'], message, hint))
  }

  /** What is said of spans that nobody gets. */
  #reportNobody(documents: readonly Telemetry[], { tracing }: TelemetryFields): void {
    if (tracing?.provider !== undefined || tracing?.mode === 'Disabled') return
    const document = documents.findLast(({ spec }) => spec.tracing !== undefined)
    if (document === undefined) return
    const message = 'no provider is named, here or for the mesh: there are no spans'
    const hint = 'Name one with "provider", or in tracing of the MeshConfig.'
    this.#problems.add(documentProblem(document, 'HDL006', 'warning', ['spec', 'tracing'], message, hint))
  }

  #notAccepted(document: Telemetry, reason: string, message: string): void {
    this.statuses.set(document.id, { conditions: [badCondition('Accepted', reason, message)] })
  }
}

/** Else it is about all of its namespace. */
function choosesSome({ spec: { selector, targetRefs } }: Telemetry): boolean {
  return targetRefs !== undefined || Object.keys(selector?.matchLabels ?? {}).length > 0
}
