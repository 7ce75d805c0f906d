// Every verb with its arguments and help. Declarations only: what a verb does is imported when it is called.
import { Command, Option } from 'commander'

import { defaultPortBase } from '../contracts/ports.ts'
import { apiRoles } from '../control/api/api-roles.ts'
import type { CliContext, MeshOptions, Work } from './context.ts'
import { stateDirOption, addressOption, tokenFileOption, outputOption } from './mesh-options.ts'
import { collect, parsePort, parseSeconds, parseCount, parseSeed, parseStatus } from './option-values.ts'
import type { RotateOptions } from './verbs/certs-authority.ts'
import type { BundleOptions } from './verbs/certs-bundle.ts'
import type { RevokeOptions } from './verbs/certs-revoke.ts'
import { packageVersion } from './version.ts'

/** `run` gets the work of the verb that was called. */
export function createProgram(context: CliContext, run: (work: Work) => Promise<void>): Command {
  const program = new Command('heddle')
    .description('A service mesh in one command: control plane, sidecars, mutual TLS, routing.')
    .version(packageVersion(), '-V, --version')
    .helpCommand('help [verb]', 'explain a verb')
    .showHelpAfterError('(heddle help shows the verbs)')
  declareRunning(program, context, run)
  declareDocuments(program, context, run)
  declareAnalysis(program, context, run)
  declareLooking(program, context, run)
  declareSecurity(program, context, run)
  declareOther(program, context, run)
  return program
}

type Declare = (program: Command, context: CliContext, run: (work: Work) => Promise<void>) => void

const declareRunning: Declare = (program, context, run) => {
  verb(program, 'up', 'start a mesh on this machine: control plane, sidecars, and the workloads that have a command', [
    'heddle up -f mesh.yaml',
    'heddle up -f mesh/ --state-dir /tmp/mesh --port-base 21000 --detach',
    'heddle up -f mesh.yaml --sandbox',
    'heddle up -f mesh.yaml --ca-cert ca.crt --ca-command ./sign-intermediate',
  ])
    .requiredOption('-f, --file <path>', 'document file or folder; may be repeated', collect)
    .addOption(stateDirOption())
    .option('--port-base <port>', 'first port for the listeners of sidecars', parsePort, defaultPortBase)
    .option('--dashboard-port <port>', 'port of the dashboard', parsePort)
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
    .action((options) => run(async () => (await import('./up/up-verb.ts')).up(context, options)))

  verb(program, 'down', 'stop the mesh of a state directory, applications first', ['heddle down'])
    .addOption(stateDirOption())
    .action((options) => run(async () => (await import('./up/down-verb.ts')).down(context, options)))

  verb(program, 'ps', 'show the running mesh: workloads, gateways, addresses', ['heddle ps', 'heddle ps -o json'])
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((options) => run(async () => (await import('./verbs/ps.ts')).ps(context, options)))

  verb(program, 'control-plane', 'run a control plane in the foreground', [
    'heddle control-plane --state-dir .heddle -f mesh.yaml',
  ])
    .requiredOption('-f, --file <path>', 'document file or folder; may be repeated', collect)
    .addOption(stateDirOption())
    .option('--port-base <port>', 'first port for the listeners of sidecars', parsePort, defaultPortBase)
    .option('--dashboard', 'serve the dashboard', false)
    .option('--dashboard-port <port>', 'port of the dashboard', parsePort)
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
    .action((options) => run(async () => (await import('./verbs/roles.ts')).controlPlane(context, options)))

  verb(program, 'proxy', 'run a proxy in the foreground', [
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
    .action((options) => run(async () => (await import('./verbs/roles.ts')).proxy(context, options)))
}

const declareDocuments: Declare = (program, context, run) => {
  verb(program, 'apply', 'put documents into the store of the running mesh', [
    'heddle apply -f route.yaml',
    'heddle apply -f route.yaml --address http://127.0.0.1:15014 --token-file ~/.heddle-token',
  ])
    .requiredOption('-f, --file <path>', 'document file or folder, - for standard input; may be repeated', collect)
    .option('--dry-run', 'say what would happen and change nothing', false)
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((options) => run(async () => (await import('./verbs/apply.ts')).apply(context, options)))

  verb(program, 'get', 'show documents in force, with defaults and status', [
    'heddle get',
    'heddle get httproutes -n default',
    'heddle get httproute reviews -o yaml',
    'heddle get chaosexperiments',
    'heddle get --address http://127.0.0.1:15014 --token-file ~/.heddle-token',
  ])
    .argument('[kind]', 'kind, singular or plural, any case; absent: all kinds')
    .argument('[name]')
    .option('-n, --namespace <namespace>', 'only this namespace')
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((kind, name, options) =>
      run(async () => (await import('./verbs/get.ts')).get(context, kind, name, options)),
    )

  verb(program, 'delete', 'take a document out of the store of the running mesh', ['heddle delete httproute reviews'])
    .argument('<kind>')
    .argument('<name>')
    .option('-n, --namespace <namespace>', 'its namespace', 'default')
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((kind, name, options) =>
      run(async () => (await import('./verbs/delete.ts')).deleteDocument(context, kind, name, options)),
    )

  verb(program, 'diff', 'compare documents with what is in force; exits with 1 when they differ', [
    'heddle diff -f route.yaml',
  ])
    .requiredOption('-f, --file <path>', 'document file or folder, - for standard input; may be repeated', collect)
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .action((options) => run(async () => (await import('./verbs/diff.ts')).diff(context, options)))
}

const declareAnalysis: Declare = (program, context, run) => {
  verb(program, 'analyze', 'find what is wrong with documents; exits with 1 when something is', [
    'heddle analyze -f mesh.yaml',
    'heddle analyze',
  ])
    .option('-f, --file <path>', 'document file or folder, - for standard input; absent: the running mesh', collect)
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((options) => run(async () => (await import('./verbs/analyze.ts')).analyze(context, options)))

  verb(program, 'simulate', 'play a scenario on documents, without a mesh; exits with 1 when it is not as expected', [
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
    .action((options) => run(async () => (await import('./verbs/simulate.ts')).simulateScenario(context, options)))

  verb(program, 'stat', 'show rate, success and latency of every edge', ['heddle stat', 'heddle stat --watch'])
    .option('--watch', 'go on until Ctrl-C', false)
    .option('--window <seconds>', 'time over which it counts', parseSeconds, 1)
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((options) => run(async () => (await import('./verbs/stat.ts')).stat(context, options)))

  verb(program, 'tap', 'show requests as they happen', [
    'heddle tap',
    'heddle tap web --method GET --path /cart --status 5xx -o json',
  ])
    .argument('[workload]', 'only this one: name or namespace/name')
    .option('--method <method>', 'only this method')
    .option('--path <prefix>', 'only paths that start so')
    .addOption(new Option('--status <status>', 'only this status (503) or class (5xx)').argParser(parseStatus))
    .option('--count <n>', 'end after so many', parseCount)
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((workload, options) => run(async () => (await import('./verbs/tap.ts')).tap(context, workload, options)))
}

const declareLooking: Declare = (program, context, run) => {
  verb(program, 'check', 'is everything healthy? Exits with 1 when not', ['heddle check', 'heddle check -o json'])
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((options) => run(async () => (await import('./verbs/check.ts')).check(context, options)))

  verb(program, 'proxy-status', 'show which revision each proxy runs', ['heddle proxy-status'])
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((options) => run(async () => (await import('./verbs/proxy-status.ts')).proxyStatus(context, options)))

  verb(program, 'proxy-config', 'show the configuration that a proxy runs', [
    'heddle proxy-config web routes',
    'heddle proxy-config default/web clusters -o yaml',
  ])
    .argument('<proxy>', 'workload or gateway: name or namespace/name')
    .addArgument(
      program
        .createArgument('[part]', 'listeners, routes, clusters or endpoints; absent: all')
        .choices(['listeners', 'routes', 'clusters', 'endpoints']),
    )
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((proxy, part, options) =>
      run(async () => (await import('./verbs/proxy-config.ts')).proxyConfig(context, proxy, part, options)),
    )

  verb(program, 'version', 'show the version', ['heddle version -o json'])
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

const declareSecurity: Declare = (program, context, run) => {
  const certs = verb(program, 'certs', 'show the certificates in use: identity, serial number, expiry', [
    'heddle certs',
    'heddle certs rotate --root',
    'heddle certs revoke default/web',
    'heddle certs plaintext-callers',
  ])
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((options) => run(async () => (await import('./verbs/certs.ts')).certs(context, options)))

  // `certs` itself takes the options that both have, wherever they stand
  verb(certs, 'authority', 'show the certificates that sign the others, and what is revoked', [
    'heddle certs authority -o json',
  ])
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((_, command: Command) =>
      run(async () =>
        (await import('./verbs/certs-authority.ts')).certsAuthority(context, command.optsWithGlobals<MeshOptions>()),
      ),
    )

  verb(certs, 'bundle', 'print the trust bundle of this mesh, for other trust domains', [
    'heddle certs bundle > mesh-bundle.json',
    'heddle certs bundle --format pem > mesh-roots.pem',
  ])
    .addOption(
      new Option('--format <format>', 'a JWK set with all keys, or the roots alone')
        .choices(['spiffe', 'pem'])
        .default('spiffe'),
    )
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .action((_, command: Command) =>
      run(async () =>
        (await import('./verbs/certs-bundle.ts')).certsBundle(context, command.optsWithGlobals<BundleOptions>()),
      ),
    )

  verb(certs, 'federation', 'show the trust bundles of other trust domains; exits with 1 when one is missing', [
    'heddle certs federation',
    'heddle certs federation -o json',
  ])
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((_, command: Command) =>
      run(async () =>
        (await import('./verbs/certs-bundle.ts')).certsFederation(context, command.optsWithGlobals<MeshOptions>()),
      ),
    )

  verb(certs, 'rotate', 'replace root or intermediate while everything runs, and wait until it is done', [
    'heddle certs rotate --root',
    'heddle certs rotate --intermediate',
    'heddle certs rotate --jwt',
  ])
    .option('--root', 'the root, and with it the intermediate', false)
    .option('--intermediate', 'only the intermediate', false)
    .option('--jwt', 'the key of JWT-SVIDs: publish the next one, which signs ten minutes later', false)
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((_, command: Command) =>
      run(async () =>
        (await import('./verbs/certs-authority.ts')).certsRotate(context, command.optsWithGlobals<RotateOptions>()),
      ),
    )

  verb(certs, 'revoke', 'end what an identity was given so far, certificates and join tokens, at all proxies', [
    'heddle certs revoke default/web --reason "laptop lost"',
    'heddle certs revoke spiffe://mesh.local/ns/default/sa/web',
    'heddle certs revoke spiffe://partner.example/ns/default/sa/ratings',
  ])
    .argument('<identity>', 'SPIFFE ID, or a workload or gateway: namespace/name')
    .option('--reason <text>', 'kept with it', '')
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((identity: string, _, command: Command) =>
      run(async () =>
        (await import('./verbs/certs-revoke.ts')).certsRevoke(
          context,
          identity,
          command.optsWithGlobals<RevokeOptions>(),
        ),
      ),
    )

  verb(certs, 'plaintext-callers', 'who comes without mutual TLS; exits with 1 when STRICT would break somebody', [
    'heddle certs plaintext-callers',
    'heddle certs plaintext-callers -o json',
  ])
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((_, command: Command) =>
      run(async () =>
        (await import('./verbs/plaintext-callers.ts')).plaintextCallers(
          context,
          command.optsWithGlobals<MeshOptions>(),
        ),
      ),
    )

  const authz = program.command('authz').description('authorization policies')
  verb(authz, 'check', 'may this caller make this request? verdict, rule, file and line', [
    'heddle authz check --from web --to reviews --method GET --path /reviews/1',
    'heddle authz check --to reviews --path / -f mesh.yaml   # a caller without a certificate; files instead of the mesh',
    'heddle authz check --from web --to mysql --tcp',
    'heddle authz check --from web --to api.example:443   # out of the mesh: an ExternalService, one of its hosts, or any host',
  ])
    .requiredOption(
      '--to <workload>',
      'who is asked: workload, namespace/workload or service account; else an ExternalService or a host',
    )
    .option('--from <workload>', 'who asks: the same, or a SPIFFE ID; absent: no certificate')
    .option('--from-address <ip>', 'IP address of who asks', '127.0.0.1')
    .option('--port <port>', "port of the application; absent: all of the workload's", parsePort)
    .option('--method <method>', 'method of the request', 'GET')
    .option('--path <path>', 'path of the request', '/')
    .option('--host <host>', 'Host of the request; absent: what --to says')
    .option('--header <name=value>', 'header of the request; may be repeated', collect, [])
    .option('--claim <name=value>', 'claim of a verified token; may be repeated', collect, [])
    .option('--tcp', 'a connection of opaque bytes instead of a request', false)
    .option('-f, --file <path>', 'documents instead of the running mesh; may be repeated', collect)
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((options) => run(async () => (await import('./verbs/authz-check.ts')).authzCheck(context, options)))

  const token = verb(
    program,
    'token',
    'tokens of the control-plane API, each with a role, and join tokens of proxies',
    ['heddle token list', 'heddle token join list'],
  )
  verb(token, 'create', 'make a token and print it: it cannot be shown again', [
    'heddle token create ci --role operator',
  ])
    .argument('<name>')
    .addOption(new Option('--role <role>', 'what it may do').choices(apiRoles).makeOptionMandatory())
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((name, options) => run(async () => (await import('./verbs/token.ts')).createToken(context, name, options)))
  verb(token, 'list', 'show the names and roles of the tokens there are', ['heddle token list -o json'])
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .addOption(outputOption())
    .action((options) => run(async () => (await import('./verbs/token.ts')).listTokens(context, options)))
  verb(token, 'delete', 'take a token back', ['heddle token delete ci'])
    .argument('<name>')
    .addOption(stateDirOption())
    .addOption(addressOption())
    .addOption(tokenFileOption())
    .action((name, options) => run(async () => (await import('./verbs/token.ts')).deleteToken(context, name, options)))
  declareJoinTokens(token, context, run)
}

const declareJoinTokens: Declare = (token, context, run) => {
  const join = verb(token, 'join', 'tokens with which a proxy first proves who it is', ['heddle token join list'])
  verb(join, 'create', 'make a join token for one workload and print it: it cannot be shown again', [
    'heddle token join create web',
    'heddle token join create shop/web --uses 3 --ttl 1h',
    'heddle token join create public --gateway',
  ])
    .argument('<proxy>', 'workload or gateway: name or namespace/name')
    .option('--gateway', 'it is a gateway', false)
    .option('--uses <count>', 'how often a proxy may join with it, up to 100', parseCount, 1)
    .option('--ttl <duration>', 'how long it serves, up to 24h', '10m')
    .addOption(stateDirOption())
    .addOption(outputOption())
    .action((who, options) =>
      run(async () => (await import('./verbs/join-token.ts')).createJoinToken(context, who, options)),
    )
  verb(join, 'list', 'show the join tokens that are in force, and what was refused', [
    'heddle token join list',
    'heddle token join list -o json',
  ])
    .addOption(stateDirOption())
    .addOption(outputOption())
    .action((options) => run(async () => (await import('./verbs/join-token.ts')).listJoinTokens(context, options)))
  verb(join, 'delete', 'revoke a join token; certificates that it brought stay', [
    'heddle token join delete 1f0c9a3be742',
  ])
    .argument('<id>', 'as the list shows it')
    .addOption(stateDirOption())
    .action((id, options) =>
      run(async () => (await import('./verbs/join-token.ts')).deleteJoinToken(context, id, options)),
    )
}

const declareOther: Declare = (program, context, run) => {
  verb(program, 'completion', 'print a completion script for a shell', [
    'heddle completion bash >~/.local/share/bash-completion/completions/heddle',
    'source <(heddle completion zsh)',
  ])
    .addArgument(program.createArgument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action((shell) =>
      run(async () => {
        const { completionScript } = await import('./completion.ts')
        context.output.write(completionScript(program, shell as 'bash' | 'zsh' | 'fish'))
        return 0
      }),
    )
}

function verb(program: Command, name: string, description: string, examples: readonly string[]): Command {
  const command = program.command(name).description(description)
  const lines = examples.map((example) => `  $ ${example}`).join('\n')
  return command.addHelpText('after', `\nExamples:\n${lines}`)
}
