// The verb that shows requests afterwards.
import { Option } from 'commander'

import { parseCount, parseDuration, parseStatus } from '../option-values.ts'
import type { Declare } from '../verb-command.ts'

export const declareRequests: Declare = (program, context, run) => {
  program
    .verb('trace', 'show requests that failed, were repeated, slow or sampled: which hop, why, where it is written', [
      'heddle trace',
      'heddle trace --service reviews --status 5xx --since 10m',
      'heddle trace 7d1f0c9a-3be7-4f2e-9a61-0c4d5e6f7a8b   # an x-request-id or a trace id: all hops of that request',
      'heddle trace --flag UF --count 1 -o json',
    ])
    .argument('[id]', 'request id or trace id, or how one begins; absent: a list, newest first')
    .option('--service <service>', 'only requests to it: name or namespace/name')
    .option('--workload <workload>', 'only requests that it sent or got: name or namespace/name')
    .addOption(new Option('--status <status>', 'only this status (503) or class (5xx)').argParser(parseStatus))
    .option('--flag <flag>', 'only with this response flag (UF, UT, UAEX, …)')
    .option('--min-duration <duration>', 'only those that took so long (250ms, 2s)', parseDuration)
    .option('--since <duration>', 'only of the last (10m, 1h)', parseDuration)
    .option('--count <n>', 'so many at the most', parseCount, 20)
    .option('--watch', 'list them until Ctrl-C', false)
    .asksMesh()
    .action((id, options) => run(async () => (await import('../verbs/trace.ts')).trace(context, id, options)))
}
