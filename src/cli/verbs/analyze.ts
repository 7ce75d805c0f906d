// `heddle analyze`: what is wrong with documents, in files without a mesh or in the running one.
import { formatProblem, type Problem } from '../../contracts/problem.ts'
import type { ExitCode } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { connect } from '../mesh/running-mesh.ts'
import { readDocumentFiles } from './read-documents.ts'

export interface AnalyzeOptions extends MeshOptions {
  readonly file?: readonly string[]
}

/** Exits with 1 when there is an error; warnings alone are well. */
export async function analyze(context: CliContext, options: AnalyzeOptions): Promise<ExitCode> {
  const problems = options.file === undefined ? await ofMesh(context, options) : await ofFiles(context, options.file)
  const errors = problems.filter(({ severity }) => severity === 'error').length
  if (options.output === 'table') {
    for (const problem of problems) context.output.line(formatProblem(problem))
    context.output.line(
      problems.length === 0 ? 'no problems found' : `${errors} errors, ${problems.length - errors} warnings`,
    )
  } else await context.output.structured(options.output, { problems })
  return errors === 0 ? 0 : 1
}

async function ofMesh(context: CliContext, options: AnalyzeOptions): Promise<readonly Problem[]> {
  const client = connect(context, options)
  const problems = await client.problems()
  client.close()
  return problems
}

async function ofFiles(context: CliContext, paths: readonly string[]): Promise<readonly Problem[]> {
  const files = await readDocumentFiles(context, paths)
  const { analyzeFiles } = await import('../../control/configuration.ts')
  const { problems, documents } = analyzeFiles(files)
  const { checkFilterTypes } = await import('./filter-types.ts')
  return [...problems, ...(await checkFilterTypes(documents, context.host))]
}
