// `heddle delete`: one document out of the running mesh's store.
import { formatProblem } from '../../contracts/problem.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { connect } from '../mesh/running-mesh.ts'
import { hasErrors } from './apply.ts'
import { describeKey, isKind } from './document-names.ts'

export interface DeleteOptions extends MeshOptions {
  readonly namespace: string
}

export async function deleteDocument(
  context: CliContext,
  kind: string,
  name: string,
  options: DeleteOptions,
): Promise<ExitCode> {
  const client = connect(context, options)
  const found = (await client.documents({ name })).find(
    (view) => isKind(view.kind, kind) && ['', options.namespace].includes(view.namespace),
  )
  if (found === undefined) {
    throw new CliError(`no ${kind} is called ${name} in namespace ${options.namespace}`, {
      hint: `heddle get ${kind} lists those there are; -n names another namespace`,
      exitCode: 1,
    })
  }
  const result = await client.delete(found)
  for (const problem of result.problems) context.output.note(formatProblem(problem))
  await context.output.answer(options.output, result, () => ({
    columns: [{ header: 'DOCUMENT' }, { header: 'WAS' }],
    rows: result.documents.map((document) => [describeKey(document), document.action]),
    empty: 'nothing deleted',
  }))
  return hasErrors(result.problems) ? 2 : 0
}
