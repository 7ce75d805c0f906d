// The environments of what a mesh starts: Heddle's own processes may not go through a proxy, least of all through their own, and a token of the
// user's is for the command line alone.
import { tokenVariable } from '../mesh/mesh-access.ts'

type Environment = Readonly<Record<string, string | undefined>>

const proxyVariables = new Set(['http_proxy', 'https_proxy', 'all_proxy', 'grpc_proxy', 'node_use_env_proxy'])

export function heddleEnvironment(env: Environment): Environment {
  const own = Object.entries(applicationEnvironment(env))
  return Object.fromEntries(own.filter(([name]) => !proxyVariables.has(name.toLowerCase())))
}

export function applicationEnvironment(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name !== tokenVariable))
}
