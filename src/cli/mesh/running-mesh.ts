// Finds the mesh that runs on a state directory: mesh.json there.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import type { MeshState } from '../../contracts/mesh-state.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { CliError } from '../cli-error.ts'
import type { CliContext, MeshOptions } from '../context.ts'
import { ControlPlaneClient } from './control-plane-client.ts'
import { givenAddress, givenToken, tokenVariable } from './mesh-access.ts'

export function meshFile(stateDir: string): string {
  return join(stateDir, 'mesh.json')
}

/** Throws CliError when no mesh runs there. */
export function readMeshState(context: CliContext, options: { readonly stateDir: string }): MeshState {
  const stateDir = resolve(context.host.workingDirectory, options.stateDir)
  try {
    return JSON.parse(readFileSync(meshFile(stateDir), 'utf8')) as MeshState
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      throw new CliError(`no mesh is running here (${stateDir} has no mesh.json)`, {
        hint: 'start one with `heddle up -f FILE`, or name another with --state-dir or --address',
      })
    }
    throw new CliError(`cannot read ${meshFile(stateDir)}: ${errorMessage(error)}`, {
      hint: 'run as the user who started the mesh, or use --address and a token',
    })
  }
}

type Access = Pick<MeshOptions, 'stateDir' | 'address' | 'tokenFile'>

/** Throws CliError. */
export function connect(context: CliContext, options: Access): ControlPlaneClient {
  const { url, token } = accessTo(context, options)
  return new ControlPlaneClient(url, token)
}

/** What runs where; the token of the mesh is in it for administrators only. */
export async function openMesh(context: CliContext, options: Access): Promise<MeshState> {
  const { url, token, mesh } = accessTo(context, options)
  if (mesh !== undefined) return mesh
  const client = new ControlPlaneClient(url, token)
  // it may be reached by another name than its own
  return { ...(await client.mesh().finally(() => client.close())), adminUrl: url }
}

/** The same, for verbs that ask the proxies themselves. */
export async function openProxies(context: CliContext, options: Access): Promise<MeshState> {
  const mesh = await openMesh(context, options)
  if (mesh.adminToken !== '') return mesh
  throw new CliError('this needs the role admin: proxies answer to the token of the mesh alone', {
    hint: 'use a token of that role, or run as the user who started the mesh',
  })
}

interface KnownAccess {
  readonly url: string
  readonly token: string
  /** Where nothing but the state directory says how. */
  readonly mesh?: MeshState
}

/** The mesh's own token never goes to an address that somebody gave. */
function accessTo(context: CliContext, options: Access): KnownAccess {
  const address = givenAddress(context, options)
  const token = givenToken(context, options)
  if (address !== undefined) {
    if (token !== undefined) return { url: address, token }
    throw new CliError(`no token for ${address}`, {
      hint: `give one with --token-file or ${tokenVariable}; \`heddle token create\` makes them`,
    })
  }
  const mesh = readMeshState(context, options)
  return token === undefined ? { url: mesh.adminUrl, token: mesh.adminToken, mesh } : { url: mesh.adminUrl, token }
}
