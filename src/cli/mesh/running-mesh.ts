// Finds the mesh that runs on a state directory: mesh.json there.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import type { MeshState } from '../../contracts/mesh-state.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { CliError } from '../cli-error.ts'
import type { CliContext } from '../context.ts'
import { ControlPlaneClient } from './control-plane-client.ts'

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
        hint: 'start one with `heddle up -f FILE`, or name another with --state-dir',
      })
    }
    throw new CliError(`cannot read ${meshFile(stateDir)}: ${errorMessage(error)}`, {
      hint: 'run as the user who started the mesh',
    })
  }
}

export function connect(context: CliContext, options: { readonly stateDir: string }): ControlPlaneClient {
  const mesh = readMeshState(context, options)
  return new ControlPlaneClient(mesh.adminUrl, mesh.adminToken)
}
