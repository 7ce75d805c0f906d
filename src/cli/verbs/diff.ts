// `heddle diff`: what `apply` would change, as a unified diff. Exits with 1 when there is a difference.
import { formatProblem } from '../../contracts/problem.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext } from '../context.ts'
import { connect } from '../mesh/running-mesh.ts'
import { toYaml } from '../output.ts'
import { unifiedDiff } from '../unified-diff.ts'
import { hasErrors } from './apply.ts'
import { describeKey } from './document-names.ts'
import { readDocuments } from './read-documents.ts'

export async function diff(
  context: CliContext,
  options: { readonly file: readonly string[]; readonly stateDir: string },
): Promise<ExitCode> {
  const { output } = context
  const yaml = await readDocuments(context, options.file)
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
    for (const line of text.trimEnd().split('\n')) output.line(colourLine(context, line))
  }
  return different ? 1 : 0
}

function colourLine({ output: { colors } }: CliContext, line: string): string {
  if (line.startsWith('+++') || line.startsWith('---')) return colors.bold(line)
  if (line.startsWith('+')) return colors.green(line)
  if (line.startsWith('-')) return colors.red(line)
  return line.startsWith('@@') ? colors.cyan(line) : line
}
