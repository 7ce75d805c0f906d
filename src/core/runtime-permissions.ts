// Options that start a process of ours under Node's permission model: it reads what is named, and neither writes files nor starts programs.
import { fileURLToPath } from 'node:url'

/** Beside `files` it may read its own code and use the network. */
export function permissionOptions(files: readonly string[]): string[] {
  return [
    '--permission',
    // before Node 25 the network is no part of the model, and the option unknown
    ...(process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : []),
    // that option says in every log that it is experimental
    '--disable-warning=ExperimentalWarning',
    ...[...ownCode(), ...files].map((file) => `--allow-fs-read=${file}`),
  ]
}

/** Not the folder around it: that may hold anything, a state directory too. */
function ownCode(): string[] {
  const code = fileURLToPath(new URL('..', import.meta.url))
  const description = fileURLToPath(new URL('../../package.json', import.meta.url))
  const dependency = fileURLToPath(import.meta.resolve('commander'))
  const dependencies = dependency.slice(0, dependency.lastIndexOf('/node_modules/') + '/node_modules/'.length)
  return [`${code}*`, description, `${dependencies}*`]
}

/** What such a process gets of the environment: nothing that could be a secret of somebody else. */
export function plainEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(NODE_|SSL_|LC_|LANG$|TZ$)/.test(name)))
}
