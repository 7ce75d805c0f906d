// `heddle apply`: documents → the running mesh's store.
import { formatProblem, type Problem } from '../../contracts/problem.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { connect } from '../mesh/running-mesh.ts'
import { describeKey } from './document-names.ts'
import { readDocuments } from './read-documents.ts'

export interface ApplyOptions extends MeshOptions {
  readonly file: readonly string[]
  readonly dryRun: boolean
}

export async function apply(context: CliContext, options: ApplyOptions): Promise<ExitCode> {
  const yaml = await readDocuments(context, options.file)
  const client = connect(context, options)
  const result = await client.apply(yaml, { dryRun: options.dryRun })
  for (const problem of result.problems) context.output.note(formatProblem(problem))
  const refused = hasErrors(result.problems)
  if (refused) context.output.note('nothing is applied: correct the errors and apply again')
  await context.output.answer(options.output, result, () => ({
    columns: [{ header: 'DOCUMENT' }, { header: options.dryRun || refused ? 'WOULD BE' : 'WAS' }],
    rows: result.documents.map((document) => [describeKey(document), document.action]),
    empty: 'nothing applied',
  }))
  return refused ? 2 : 0
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some(({ severity }) => severity === 'error')
}
