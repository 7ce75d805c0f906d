// The verbs that run a mesh, or a part of it.
import { Option } from 'commander'

import { defaultPortBase } from '../../contracts/ports.ts'
import { stateDirOption } from '../mesh-options.ts'
import { collect, parseCount, parsePort, parseSeconds, parseServer } from '../option-values.ts'
import type { Declare } from '../verb-command.ts'

export const declareRunning: Declare = (program, context, run) => {
  program
    .verb('up', 'start a mesh on this machine: control plane, sidecars, and the workloads that have a command', [
      'heddle up -f mesh.yaml',
      'heddle up -f mesh/ --state-dir /tmp/mesh --port-base 21000 --detach',
      'heddle up -f mesh.yaml --sandbox',
      'heddle up -f mesh.yaml --prometheus http://127.0.0.1:9090',
      'heddle up -f mesh.yaml --ca-cert ca.crt --ca-command ./sign-intermediate',
    ])
    .requiredOption('-f, --file <path>', 'document file or folder; may be repeated', collect)
    .addOption(stateDirOption())
    .option('--port-base <port>', 'first port for the listeners of sidecars', parsePort, defaultPortBase)
    .option('--dashboard-port <port>', 'port of the dashboard', parsePort)
    .option(
      '--prometheus <url>',
      'server that scrapes the proxies: charts look back as far as it remembers',
      parseServer,
    )
    .option('--no-dashboard', 'serve no dashboard')
    .option(
      '--ca-cert <file>',
      'your own certificate authority: its certificate and those above it, PEM, the root last',
    )
    .option('--ca-key <file>', 'its key, PEM')
    .option(
      '--ca-command <file>',
      'in place of --ca-key, a program that has its key sign: PKCS#10 on stdin, certificate on stdout, PEM',
    )
    .option('--isolate', 'one proxy process per workload', false)
    .option('--workers <count>', 'processes that share the ports of each proxy', parseCount, 1)
    .option('--sandbox', "handle traffic under Node's permission model: no other files, no programs", false)
    .option(
      '--drain-deadline <seconds>',
      'how long old connections may finish when proxies restart (SIGUSR2)',
      parseSeconds,
      600,
    )
    .option('--transparent', 'redirect the traffic of unchanged applications (not supported yet)', false)
    .option('--detach', 'return when the mesh is ready and leave it running', false)
    .option('--live', 'after the table, show the traffic of each edge as it flows', false)
    .option('-v, --verbose', "show the applications' output", false)
    .action((options) => run(async () => (await import('../up/up-verb.ts')).up(context, options)))

  program
    .verb('down', 'stop the mesh of a state directory, applications first', ['heddle down'])
    .addOption(stateDirOption())
    .action((options) => run(async () => (await import('../up/down-verb.ts')).down(context, options)))

  program
    .verb('ps', 'show the running mesh: workloads, gateways, addresses', ['heddle ps', 'heddle ps -o json'])
    .asksMesh()
    .action((options) => run(async () => (await import('../verbs/ps.ts')).ps(context, options)))

  program
    .verb('control-plane', 'run a control plane in the foreground', [
      'heddle control-plane --state-dir .heddle -f mesh.yaml',
    ])
    .requiredOption('-f, --file <path>', 'document file or folder; may be repeated', collect)
    .addOption(stateDirOption())
    .option('--port-base <port>', 'first port for the listeners of sidecars', parsePort, defaultPortBase)
    .option('--dashboard', 'serve the dashboard', false)
    .option('--dashboard-port <port>', 'port of the dashboard', parsePort)
    .option(
      '--prometheus <url>',
      'server that scrapes the proxies: charts look back as far as it remembers',
      parseServer,
    )
    .option(
      '--ca-cert <file>',
      'your own certificate authority: its certificate and those above it, PEM, the root last',
    )
    .option('--ca-key <file>', 'its key, PEM')
    .option(
      '--ca-command <file>',
      'in place of --ca-key, a program that has its key sign: PKCS#10 on stdin, certificate on stdout, PEM',
    )
    .option('--parent-watch', 'stop when the process that started this one is gone', false)
    .option('-v, --verbose', 'log more', false)
    .action((options) => run(async () => (await import('../verbs/roles.ts')).controlPlane(context, options)))

  program
    .verb('proxy', 'run a proxy in the foreground', [
      'heddle proxy --bootstrap proxy.json',
      'heddle proxy --bootstrap proxy.json --sandbox',
    ])
    .requiredOption('--bootstrap <file>', 'bootstrap file, as `heddle up` writes it')
    .option('--workers <count>', 'processes that share its ports', parseCount, 1)
    .option('--sandbox', "handle traffic in processes under Node's permission model", false)
    .addOption(
      new Option('--io <back end>', "how sockets are driven: the runtime's own handles, or node:net")
        .choices(['auto', 'raw', 'net'] as const)
        .default('auto' as const),
    )
    .action((options) => run(async () => (await import('../verbs/roles.ts')).proxy(context, options)))
}
