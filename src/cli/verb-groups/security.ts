// The verbs for certificates, policies and tokens.
import { Option, type Command } from 'commander'

import { apiRoles } from '../../control/api/api-roles.ts'
import type { MeshOptions } from '../context.ts'
import { outputOption, stateDirOption } from '../mesh-options.ts'
import { collect, parseCount, parsePort } from '../option-values.ts'
import type { Declare } from '../verb-command.ts'
import type { RotateOptions } from '../verbs/certs-authority.ts'
import type { BundleOptions } from '../verbs/certs-bundle.ts'
import type { RevokeOptions } from '../verbs/certs-revoke.ts'

export const declareSecurity: Declare = (program, context, run) => {
  const certs = program
    .verb('certs', 'show the certificates in use: identity, serial number, expiry', [
      'heddle certs',
      'heddle certs rotate --root',
      'heddle certs revoke default/web',
      'heddle certs plaintext-callers',
    ])
    .asksMesh()
    .action((options) => run(async () => (await import('../verbs/certs.ts')).certs(context, options)))

  // `certs` itself takes the options that both have, wherever they stand
  certs
    .verb('authority', 'show the certificates that sign the others, and what is revoked', [
      'heddle certs authority -o json',
    ])
    .asksMesh()
    .action((_, command: Command) =>
      run(async () =>
        (await import('../verbs/certs-authority.ts')).certsAuthority(context, command.optsWithGlobals<MeshOptions>()),
      ),
    )

  certs
    .verb('bundle', 'print the trust bundle of this mesh, for other trust domains', [
      'heddle certs bundle > mesh-bundle.json',
      'heddle certs bundle --format pem > mesh-roots.pem',
    ])
    .addOption(
      new Option('--format <format>', 'a JWK set with all keys, or the roots alone')
        .choices(['spiffe', 'pem'])
        .default('spiffe'),
    )
    .reachesMesh()
    .action((_, command: Command) =>
      run(async () =>
        (await import('../verbs/certs-bundle.ts')).certsBundle(context, command.optsWithGlobals<BundleOptions>()),
      ),
    )

  certs
    .verb('federation', 'show the trust bundles of other trust domains; exits with 1 when one is missing', [
      'heddle certs federation',
      'heddle certs federation -o json',
    ])
    .asksMesh()
    .action((_, command: Command) =>
      run(async () =>
        (await import('../verbs/certs-bundle.ts')).certsFederation(context, command.optsWithGlobals<MeshOptions>()),
      ),
    )

  certs
    .verb('rotate', 'replace root or intermediate while everything runs, and wait until it is done', [
      'heddle certs rotate --root',
      'heddle certs rotate --intermediate',
      'heddle certs rotate --jwt',
    ])
    .option('--root', 'the root, and with it the intermediate', false)
    .option('--intermediate', 'only the intermediate', false)
    .option('--jwt', 'the key of JWT-SVIDs: publish the next one, which signs ten minutes later', false)
    .asksMesh()
    .action((_, command: Command) =>
      run(async () =>
        (await import('../verbs/certs-authority.ts')).certsRotate(context, command.optsWithGlobals<RotateOptions>()),
      ),
    )

  certs
    .verb('revoke', 'end what an identity was given so far, certificates and join tokens, at all proxies', [
      'heddle certs revoke default/web --reason "laptop lost"',
      'heddle certs revoke spiffe://mesh.local/ns/default/sa/web',
      'heddle certs revoke spiffe://partner.example/ns/default/sa/ratings',
    ])
    .argument('<identity>', 'SPIFFE ID, or a workload or gateway: namespace/name')
    .option('--reason <text>', 'kept with it', '')
    .asksMesh()
    .action((identity: string, _, command: Command) =>
      run(async () =>
        (await import('../verbs/certs-revoke.ts')).certsRevoke(
          context,
          identity,
          command.optsWithGlobals<RevokeOptions>(),
        ),
      ),
    )

  certs
    .verb('plaintext-callers', 'who comes without mutual TLS; exits with 1 when STRICT would break somebody', [
      'heddle certs plaintext-callers',
      'heddle certs plaintext-callers -o json',
    ])
    .asksMesh()
    .action((_, command: Command) =>
      run(async () =>
        (await import('../verbs/plaintext-callers.ts')).plaintextCallers(
          context,
          command.optsWithGlobals<MeshOptions>(),
        ),
      ),
    )

  const authz = program.command('authz').description('authorization policies')
  authz
    .verb('check', 'may this caller make this request? verdict, rule, file and line', [
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
    .asksMesh()
    .action((options) => run(async () => (await import('../verbs/authz-check.ts')).authzCheck(context, options)))

  const token = program.verb('token', 'tokens of the control-plane API, each with a role, and join tokens of proxies', [
    'heddle token list',
    'heddle token join list',
  ])
  token
    .verb('create', 'make a token and print it: it cannot be shown again', ['heddle token create ci --role operator'])
    .argument('<name>')
    .addOption(new Option('--role <role>', 'what it may do').choices(apiRoles).makeOptionMandatory())
    .asksMesh()
    .action((name, options) => run(async () => (await import('../verbs/token.ts')).createToken(context, name, options)))
  token
    .verb('list', 'show the names and roles of the tokens there are', ['heddle token list -o json'])
    .asksMesh()
    .action((options) => run(async () => (await import('../verbs/token.ts')).listTokens(context, options)))
  token
    .verb('delete', 'take a token back', ['heddle token delete ci'])
    .argument('<name>')
    .reachesMesh()
    .action((name, options) => run(async () => (await import('../verbs/token.ts')).deleteToken(context, name, options)))
  declareJoinTokens(token, context, run)
}

const declareJoinTokens: Declare = (token, context, run) => {
  const join = token.verb('join', 'tokens with which a proxy first proves who it is', ['heddle token join list'])
  join
    .verb('create', 'make a join token for one workload and print it: it cannot be shown again', [
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
      run(async () => (await import('../verbs/join-token.ts')).createJoinToken(context, who, options)),
    )
  join
    .verb('list', 'show the join tokens that are in force, and what was refused', [
      'heddle token join list',
      'heddle token join list -o json',
    ])
    .addOption(stateDirOption())
    .addOption(outputOption())
    .action((options) => run(async () => (await import('../verbs/join-token.ts')).listJoinTokens(context, options)))
  join
    .verb('delete', 'revoke a join token; certificates that it brought stay', ['heddle token join delete 1f0c9a3be742'])
    .argument('<id>', 'as the list shows it')
    .addOption(stateDirOption())
    .action((id, options) =>
      run(async () => (await import('../verbs/join-token.ts')).deleteJoinToken(context, id, options)),
    )
}
