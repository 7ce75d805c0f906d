// `heddle diff`: what `apply` would change, or what changed between two revisions, as a unified diff. Exits with 1 when there is a difference.
import { formatProblem } from '../../contracts/problem.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext } from '../context.ts'
import { connect } from '../mesh/running-mesh.ts'
import { toYaml } from '../output.ts'
import { formatHunks, unifiedDiff } from '../unified-diff.ts'
import { hasErrors } from './apply.ts'
import { describeKey } from './document-names.ts'
import { readDocuments } from './read-documents.ts'

export interface DiffOptions {
  readonly file?: readonly string[]
  /** Of revisions. */
  readonly from?: number
  /** Absent: the one in force. */
  readonly to?: number
  readonly stateDir: string
}

export async function diff(context: CliContext, options: DiffOptions): Promise<ExitCode> {
  const { file, from, to } = options
  if ((file === undefined) === (from === undefined) || (from === undefined && to !== undefined))
    throw new CliError('diff compares documents with what is in force, or two revisions', {
      hint: 'give either -f FILE, or --from REVISION and perhaps --to REVISION',
    })
  if (from !== undefined) return diffRevisions(context, from, options)
  const { output } = context
  const yaml = await readDocuments(context, file ?? [])
  const result = await connect(context, options).apply(yaml, { dryRun: true })
  for (const problem of result.problems) output.note(formatProblem(problem))
  if (hasErrors(result.problems)) return 2
  let different = false
  for (const document of result.documents) {
    const name = describeKey(document)
    const before = document.before === undefined ? '' : await toYaml(document.before)
    const after = document.after === undefined ? '' : await toYaml(document.after)
    const text = unifiedDiff(before, after, { before: `${name} (in force)`, after: `${name} (proposed)` })
    if (text === '') continue
    different = true
    show(context, text)
  }
  return different ? 1 : 0
}

async function diffRevisions(context: CliContext, from: number, options: DiffOptions): Promise<ExitCode> {
  const client = connect(context, options)
  try {
    const to = options.to ?? Number((await client.configuration()).revision)
    const { documents } = await client.difference(from, to)
    for (const { id, action, hunks } of documents) {
      if (hunks.length === 0) context.output.line(`${context.output.text(id)} ${action}, not shown: so much differs`)
      else show(context, formatHunks(hunks, { before: `${id} (revision ${from})`, after: `${id} (revision ${to})` }))
    }
    return documents.length > 0 ? 1 : 0
  } finally {
    client.close()
  }
}

function show(context: CliContext, text: string): void {
  for (const line of text.trimEnd().split('\n')) context.output.line(colourLine(context, line))
}

function colourLine({ output: { colors } }: CliContext, line: string): string {
  if (line.startsWith('+++') || line.startsWith('---')) return colors.bold(line)
  if (line.startsWith('+')) return colors.green(line)
  if (line.startsWith('-')) return colors.red(line)
  return line.startsWith('@@') ? colors.cyan(line) : line
}
