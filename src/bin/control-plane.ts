// `heddle control-plane`: the configuration line from files to proxies. Composition root of the control plane.
import type { ControlPlaneOptions } from '../cli/roles.ts'

export function runControlPlane(options: ControlPlaneOptions): Promise<void> {
  return Promise.reject(new Error(`the control plane is not assembled yet (${options.stateDir})`))
}
