// The verbs for documents: of files, and of a running mesh.
import { outputOption } from '../mesh-options.ts'
import { collect, parseCount, parseSeed } from '../option-values.ts'
import type { Declare } from '../verb-command.ts'

export const declareDocuments: Declare = (program, context, run) => {
  program
    .verb('apply', 'put documents into the store of the running mesh', [
      'heddle apply -f route.yaml',
      'heddle apply -f route.yaml --address http://127.0.0.1:15014 --token-file ~/.heddle-token',
    ])
    .requiredOption('-f, --file <path>', 'document file or folder, - for standard input; may be repeated', collect)
    .option('--dry-run', 'say what would happen and change nothing', false)
    .asksMesh()
    .action((options) => run(async () => (await import('../verbs/apply.ts')).apply(context, options)))

  program
    .verb('get', 'show documents in force, with defaults and status', [
      'heddle get',
      'heddle get httproutes -n default',
      'heddle get httproute reviews -o yaml',
      'heddle get chaosexperiments',
      'heddle get --address http://127.0.0.1:15014 --token-file ~/.heddle-token',
    ])
    .argument('[kind]', 'kind, singular or plural, any case; absent: all kinds')
    .argument('[name]')
    .option('-n, --namespace <namespace>', 'only this namespace')
    .asksMesh()
    .action((kind, name, options) =>
      run(async () => (await import('../verbs/get.ts')).get(context, kind, name, options)),
    )

  program
    .verb('delete', 'take a document out of the store of the running mesh', ['heddle delete httproute reviews'])
    .argument('<kind>')
    .argument('<name>')
    .option('-n, --namespace <namespace>', 'its namespace', 'default')
    .asksMesh()
    .action((kind, name, options) =>
      run(async () => (await import('../verbs/delete.ts')).deleteDocument(context, kind, name, options)),
    )

  program
    .verb('diff', 'compare documents with what is in force, or two revisions; exits with 1 when they differ', [
      'heddle diff -f route.yaml',
      'heddle diff --from 6 --to 7',
    ])
    .option('-f, --file <path>', 'document file or folder, - for standard input; may be repeated', collect)
    .option('--from <revision>', 'compare this revision of the configuration', parseCount)
    .option('--to <revision>', 'with this one; absent: the one in force', parseCount)
    .reachesMesh()
    .action((options) => run(async () => (await import('../verbs/diff.ts')).diff(context, options)))
}

export const declareAnalysis: Declare = (program, context, run) => {
  program
    .verb('analyze', 'find what is wrong with documents; exits with 1 when something is', [
      'heddle analyze -f mesh.yaml',
      'heddle analyze',
    ])
    .option('-f, --file <path>', 'document file or folder, - for standard input; absent: the running mesh', collect)
    .asksMesh()
    .action((options) => run(async () => (await import('../verbs/analyze.ts')).analyze(context, options)))

  program
    .verb('simulate', 'play a scenario on documents, without a mesh; exits with 1 when it is not as expected', [
      'heddle simulate -f mesh.yaml --scenario zone-outage.yaml',
      'heddle simulate -f mesh.yaml --scenario zone-outage.yaml --compare naive.yaml --svg outage.svg',
      'heddle simulate -f mesh.yaml --scenario zone-outage.yaml --seed 7 -o json',
    ])
    .requiredOption('-f, --file <path>', 'document file or folder, - for standard input; may be repeated', collect)
    .requiredOption('--scenario <file>', 'file with a Scenario: callers, instances, and what happens to them')
    .option('--compare <path>', 'documents added to the others for a second run; may be repeated', collect, [])
    .option('--seed <number>', "of all chance; absent: the scenario's", parseSeed)
    .option('--json <file>', 'write the report there')
    .option('--svg <file>', 'draw the report there')
    .addOption(outputOption())
    .action((options) => run(async () => (await import('../verbs/simulate.ts')).simulateScenario(context, options)))
}
