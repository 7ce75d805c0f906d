// The verbs that show what a running mesh does: who asks whom, how it goes, and what happened.
import { Option } from 'commander'

import { defaultBodyBytes, mostBodyBytes } from '../../contracts/telemetry/tap.ts'
import { parseBodyBytes, parseCount, parseStatus, parseTime } from '../option-values.ts'
import type { Declare, VerbCommand } from '../verb-command.ts'

export const declareTraffic: Declare = (program, context, run) => {
  declareSums(program, context, run)

  program
    .verb('top', 'show the busiest, worst or slowest routes, live; q quits, r, e and p sort', [
      'heddle top',
      'heddle top --sort errors',
      'heddle top reviews -n default --window 30s',
      'heddle top -o json',
    ])
    .argument('[name]', 'only what it asks or answers: name or namespace/name')
    .option('-n, --namespace <namespace>', 'only where one side is in this namespace')
    .addOption(
      new Option('--sort <key>', 'what comes first: most requests, most failures, greatest 99th percentile')
        .choices(['rate', 'errors', 'p99'])
        .default('rate'),
    )
    .addOption(windowOption().default(10_000, '10s'))
    .addOption(agoOption())
    .asksMesh()
    .action((name, options) => run(async () => (await import('../traffic/top.ts')).top(context, name, options)))

  program
    .verb('tap', 'show requests as they happen', [
      'heddle tap',
      'heddle tap web --method GET --path /cart --status 5xx -o json',
      'heddle tap --service reviews --where \'"UH" in response.flags || durationMs > 250\'',
      'heddle tap --status 5xx --save failures.jsonl',
      'heddle tap checkout --method POST --bodies --count 1   # what sounds like a credential is ***',
    ])
    .argument('[workload]', 'only what its proxy sees: name or namespace/name')
    .option('-n, --namespace <namespace>', 'only where a workload at one end is in this namespace')
    .option('--service <name>', 'only requests to this service: name, namespace/name or host')
    .option('--method <method>', 'only this method')
    .option('--path <prefix>', 'only paths that start so')
    .addOption(new Option('--status <status>', 'only this status (503) or class (5xx)').argParser(parseStatus))
    .option('--where <condition>', 'only where this is true: CEL on the fields of the decision record')
    .addOption(
      new Option('--bodies [bytes]', `show so much of each body too, up to ${mostBodyBytes}; an event says so`)
        .argParser(parseBodyBytes)
        .preset(String(defaultBodyBytes)),
    )
    .option('--count <n>', 'end after so many', parseCount)
    .option('--save <file>', 'write them there too, one JSON object a line')
    .asksMesh()
    .action((workload, options) => run(async () => (await import('../verbs/tap.ts')).tap(context, workload, options)))

  program
    .verb('events', 'show what happened: configuration, problems, workloads, proxies, endpoints, certificates', [
      'heddle events --window 10m',
      'heddle events reviews --kind configuration',
      'heddle events --severity warning --watch',
      'heddle events -n shop -o json',
    ])
    .argument('[name]', 'only about this: name, namespace/name or Kind/namespace/name')
    .option('-n, --namespace <namespace>', 'only about what is in this namespace')
    .addOption(
      new Option('--kind <kind>', 'only these').choices([
        'configuration',
        'problem',
        'workload',
        'proxy',
        'endpoint',
        'certificate',
        'tap',
      ]),
    )
    .addOption(new Option('--severity <severity>', 'only these, and graver ones').choices(['info', 'warning', 'error']))
    .option('--most <n>', 'the newest so many', parseCount, 50)
    .option('--watch', 'go on until Ctrl-C', false)
    .addOption(windowOption())
    .addOption(agoOption())
    .asksMesh()
    .action((name, options) => run(async () => (await import('../verbs/events.ts')).events(context, name, options)))
}

/** One table, by what requests are summed by. */
const declareSums: Declare = (program, context, run) => {
  const declare = (view: 'stat' | 'edges' | 'routes', command: VerbCommand): void => {
    command
      .argument('[name]', 'only what it asks or answers: name or namespace/name')
      .option('-n, --namespace <namespace>', 'only where one side is in this namespace')
      .option('--watch', 'go on until Ctrl-C', false)
      .addOption(windowOption().default(60_000, '1m'))
      .addOption(agoOption())
      .asksMesh()
      .action((name, options) =>
        run(async () => (await import('../traffic/show-traffic.ts')).showTraffic(context, view, name, options)),
      )
  }
  declare(
    'stat',
    program.verb('stat', 'show rate, success and latency between workloads', [
      'heddle stat',
      'heddle stat reviews --watch',
      'heddle stat -n shop --window 5m --ago 1h',
    ]),
  )
  declare(
    'edges',
    program.verb('edges', 'show who asks whom: rate, success, latency, mutual TLS and health of every edge', [
      'heddle edges',
      'heddle edges checkout --watch',
      'heddle edges -o json | jq \'.edges[] | select(.health == "failing")\'',
    ]),
  )
  declare(
    'routes',
    program.verb('routes', 'show the routes that requests took, with their statuses and where they are written', [
      'heddle routes reviews',
      'heddle routes -n shop --window 15m',
      'heddle routes -o yaml',
    ]),
  )
}

function windowOption(): Option {
  return new Option('--window <time>', 'how much time: 30s, 5m, 1h30m').argParser(parseTime)
}

function agoOption(): Option {
  return new Option('--ago <time>', 'how long before now that ends').argParser(parseTime).default(0, 'now')
}
