// Every verb with its arguments and help. Declarations only: what a verb does is imported when it is called.
import type { CliContext, Work } from './context.ts'
import { VerbCommand } from './verb-command.ts'
import { declareAnalysis, declareDocuments } from './verb-groups/documents.ts'
import { declareInspection } from './verb-groups/inspection.ts'
import { declareRequests } from './verb-groups/requests.ts'
import { declareRunning } from './verb-groups/running.ts'
import { declareSecurity } from './verb-groups/security.ts'
import { declareShell } from './verb-groups/shell.ts'
import { declareTraffic } from './verb-groups/traffic.ts'
import { packageVersion } from './version.ts'

/** `run` gets the work of the verb that was called. */
export function createProgram(context: CliContext, run: (work: Work) => Promise<void>): VerbCommand {
  const program = new VerbCommand('heddle')
    .description('A service mesh in one command: control plane, sidecars, mutual TLS, routing.')
    .version(packageVersion(), '-V, --version')
    .helpCommand('help [verb]', 'explain a verb')
    .showHelpAfterError('(heddle help shows the verbs)')
  const groups = [
    declareRunning,
    declareDocuments,
    declareAnalysis,
    declareTraffic,
    declareRequests,
    declareInspection,
    declareSecurity,
    declareShell,
  ]
  for (const declare of groups) declare(program, context, run)
  return program
}
