// The verbs that say whether all is well, and what each proxy runs.
import type { MeshOptions } from '../context.ts'
import { outputOption } from '../mesh-options.ts'
import type { Declare } from '../verb-command.ts'
import { packageVersion } from '../version.ts'

export const declareInspection: Declare = (program, context, run) => {
  program
    .verb('check', 'is everything healthy? Exits with 1 when not', ['heddle check', 'heddle check --watch'])
    .option('--watch', 'go on until Ctrl-C', false)
    .asksMesh()
    .action((options) => run(async () => (await import('../verbs/check.ts')).check(context, options)))

  program
    .verb('proxy-status', 'show which revision each proxy runs', ['heddle proxy-status', 'heddle proxy-status --watch'])
    .option('--watch', 'go on until Ctrl-C', false)
    .asksMesh()
    .action((options) => run(async () => (await import('../verbs/proxy-status.ts')).proxyStatus(context, options)))

  program
    .verb('proxy-config', 'show the configuration that a proxy runs', [
      'heddle proxy-config web routes',
      'heddle proxy-config default/web clusters -o yaml',
    ])
    .argument('<proxy>', 'workload or gateway: name or namespace/name')
    .addArgument(
      program
        .createArgument('[part]', 'listeners, routes, clusters or endpoints; absent: all')
        .choices(['listeners', 'routes', 'clusters', 'endpoints']),
    )
    .asksMesh()
    .action((proxy, part, options) =>
      run(async () => (await import('../verbs/proxy-config.ts')).proxyConfig(context, proxy, part, options)),
    )

  program
    .verb('version', 'show the version', ['heddle version -o json'])
    .addOption(outputOption())
    .action((options: MeshOptions) =>
      run(async () => {
        const version = packageVersion()
        if (options.output === 'table') context.output.line(`heddle ${version}`)
        else await context.output.structured(options.output, { version })
        return 0
      }),
    )
}
