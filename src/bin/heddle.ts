// The CLI's composition root: the process as a CliHost, and the parts that verbs start.
import type { CliHost, ParentChannel } from '../cli/host.ts'
import { runCli } from '../cli/main.ts'
import { tokenVariable } from '../cli/mesh/mesh-access.ts'
import type { Roles } from '../cli/roles.ts'
import { systemClock } from '../core/clock.ts'
import { createSystemRandom } from '../core/random.ts'

// Applications shall keep what their user set; Heddle itself must never go through a proxy, least of all its own.
const env = { ...process.env }
for (const name of ['http_proxy', 'https_proxy', 'all_proxy', 'grpc_proxy']) {
  delete process.env[name]
  delete process.env[name.toUpperCase()]
}
delete process.env['NODE_USE_ENV_PROXY']
delete process.env[tokenVariable]

const roles: Roles = {
  controlPlane: async (options) => (await import('./control-plane.ts')).runControlPlane(options),
  proxy: async (options) =>
    options.workers > 1 || options.sandbox
      ? (await import('./proxy-workers.ts')).runWorkers(options)
      : (await import('./proxy.ts')).runProxy(options),
}

const parent: ParentChannel | undefined =
  process.send === undefined
    ? undefined
    : {
        send: (message) => void (process.connected && process.send?.(message)),
        onClose: (listener) => void process.on('disconnect', listener),
      }

function onKey(listener: (key: string) => void): () => void {
  const { stdin } = process
  const heard = (bytes: Buffer): void => listener(bytes.toString('utf8'))
  stdin.setRawMode(true).on('data', heard).resume()
  return () => {
    stdin.off('data', heard).pause()
    stdin.setRawMode(false)
  }
}

const host: CliHost = {
  stdout: process.stdout,
  stderr: process.stderr,
  env,
  workingDirectory: process.cwd(),
  clock: systemClock,
  random: createSystemRandom(),
  pid: process.pid,
  selfCommand: [process.execPath, ...process.execArgv, process.argv[1] as string],
  kill(pid, signal) {
    try {
      return process.kill(pid, signal)
    } catch {
      return false
    }
  },
  onSignal(signals, listener) {
    for (const signal of signals) process.on(signal, listener)
    return () => {
      for (const signal of signals) process.off(signal, listener)
    }
  },
  ...(process.stdin.isTTY ? { onKey } : {}),
  ...(parent === undefined ? {} : { parent }),
}

// a reader that went away (`heddle get | head`) is no error
process.stdout.on('error', () => process.exit(0))
process.exitCode = await runCli(process.argv.slice(2), host, roles)
