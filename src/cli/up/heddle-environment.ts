// The environments of what a mesh starts: Heddle's own processes may not go through a proxy, least of all through their own, and a token of the
// user's is for the command line alone.
import { extname } from 'node:path'

import type { DesiredApplication } from '../../contracts/desired-state.ts'
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

/** In dist/ the program is compiled. */
const propagation = import.meta.resolve(`../../bin/carry-trace${extname(import.meta.filename)}`)

/** What the application itself wants of Node holds as well. */
export function withPropagation(env: Environment, { preloadsPropagation }: DesiredApplication): Environment {
  if (preloadsPropagation !== true) return env
  return { ...env, NODE_OPTIONS: `${env['NODE_OPTIONS'] ?? ''} --import=${propagation}`.trimStart() }
}
