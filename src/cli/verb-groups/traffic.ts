// The verbs that show what a running mesh does: who asks whom, how it goes, and what happened.
import { Option } from 'commander'

import { parseCount, parseSeconds, parseStatus } from '../option-values.ts'
import type { Declare } from '../verb-command.ts'

export const declareTraffic: Declare = (program, context, run) => {
  program
    .verb('stat', 'show rate, success and latency of every edge', ['heddle stat', 'heddle stat --watch'])
    .option('--watch', 'go on until Ctrl-C', false)
    .option('--window <seconds>', 'time over which it counts', parseSeconds, 1)
    .asksMesh()
    .action((options) => run(async () => (await import('../verbs/stat.ts')).stat(context, options)))

  program
    .verb('tap', 'show requests as they happen', [
      'heddle tap',
      'heddle tap web --method GET --path /cart --status 5xx -o json',
    ])
    .argument('[workload]', 'only this one: name or namespace/name')
    .option('--method <method>', 'only this method')
    .option('--path <prefix>', 'only paths that start so')
    .addOption(new Option('--status <status>', 'only this status (503) or class (5xx)').argParser(parseStatus))
    .option('--count <n>', 'end after so many', parseCount)
    .asksMesh()
    .action((workload, options) => run(async () => (await import('../verbs/tap.ts')).tap(context, workload, options)))
}
