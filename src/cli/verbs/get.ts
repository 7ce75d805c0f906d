// `heddle get`: documents in force, every default visible with its origin.
import type { DocumentView } from '../../contracts/control-api.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { connect } from '../mesh/running-mesh.ts'
import type { TableView } from '../output.ts'
import { isKind } from './document-names.ts'
import { documentToYaml } from './document-yaml.ts'

export interface GetOptions extends MeshOptions {
  readonly namespace?: string
}

export async function get(
  context: CliContext,
  kind: string | undefined,
  name: string | undefined,
  options: GetOptions,
): Promise<ExitCode> {
  const client = connect(context, options)
  const all = await client.documents({
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(name === undefined ? {} : { name }),
  })
  const found = kind === undefined || kind === 'all' ? all : all.filter((view) => isKind(view.kind, kind))
  if (found.length === 0 && name !== undefined) {
    throw new CliError(`no ${kind} is called ${name}`, {
      hint: `heddle get ${kind} lists those there are`,
      exitCode: 1,
    })
  }
  if (options.output === 'yaml') {
    context.output.write(found.map(documentToYaml).join('---\n'))
    return 0
  }
  const documents = found.map(({ document }) => document)
  await context.output.answer(options.output, name === undefined ? documents : documents[0], () => documentTable(found))
  return 0
}

function documentTable(views: readonly DocumentView[]): TableView {
  return {
    columns: [
      { header: 'KIND' },
      { header: 'NAMESPACE' },
      { header: 'NAME' },
      { header: 'STATUS' },
      { header: 'FROM' },
    ],
    rows: views.map((view) => [view.kind, view.namespace, view.name, summary(view), origin(view)]),
    empty: 'no documents',
  }
}

function origin({ origin: from }: DocumentView): string {
  return from.kind === 'store' ? 'applied' : `${from.position.file}:${from.position.line}`
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
}

/** Those of the Gateway API that are well when they are false. */
const negativeConditions = new Set([
  'Conflicted',
  'PartiallyInvalid',
  'OverlappingTLSConfig',
  'InsecureFrontendValidationMode',
])

/** The conditions that are not as they should be; "ok" or the phase when all are, empty when the kind has none. */
function summary({ document }: DocumentView): string {
  const phase = phaseOf(document['status'])
  const conditions = collectConditions(document['status'])
  if (conditions.length === 0) return phase
  const bad = conditions.filter(({ type, status }) => status !== (negativeConditions.has(type) ? 'False' : 'True'))
  if (bad.length === 0) return phase || 'ok'
  // "Succeeded" says of an experiment how it ended
  const told = bad.map(({ type, reason }) => `${type === 'Succeeded' ? phase : type}: ${reason}`)
  return [...new Set(told)].join(', ')
}

/** Of what runs for a while; empty: none. */
function phaseOf(status: unknown): string {
  const phase = typeof status === 'object' && status !== null ? (status as Record<string, unknown>)['phase'] : undefined
  return typeof phase === 'string' ? phase : ''
}

/** Of the resource itself, of each parent and of each listener. */
function collectConditions(status: unknown): Condition[] {
  if (typeof status !== 'object' || status === null) return []
  const { conditions, parents, listeners } = status as Record<string, unknown>
  const own = Array.isArray(conditions) ? (conditions as Condition[]) : []
  const nested = [parents, listeners].flatMap((list) => (Array.isArray(list) ? list.flatMap(collectConditions) : []))
  return [...own, ...nested]
}
