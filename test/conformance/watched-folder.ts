// The folder that the mesh watches: manifests come and go, and each change is awaited until every proxy runs it.
import { copyFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { ControlPlaneClient } from '../../src/cli/mesh/control-plane-client.ts'
import { eventually } from '../kit/running-mesh.ts'
import type { RunningMesh } from '../kit/running-mesh.ts'

const inForceWithinMs = 10_000

export class WatchedFolder {
  readonly #folder: string
  readonly #controlPlane: ControlPlaneClient

  constructor(folder: string, { state }: RunningMesh) {
    this.#folder = folder
    this.#controlPlane = new ControlPlaneClient(state.adminUrl, state.adminToken)
  }

  /** Throws when the change is not in force within ten seconds: what a case then sees would be the case before. */
  async add(suiteFolder: string, manifests: readonly string[]): Promise<void> {
    await this.#change(manifests, (manifest) => {
      const file = join(this.#folder, manifest)
      copyFileSync(join(suiteFolder, manifest), `${file}.new`)
      // appears whole or not at all
      renameSync(`${file}.new`, file)
    })
  }

  async remove(manifests: readonly string[]): Promise<void> {
    await this.#change(manifests, (manifest) => rmSync(join(this.#folder, manifest), { force: true }))
  }

  close(): void {
    this.#controlPlane.close()
  }

  async #change(manifests: readonly string[], change: (manifest: string) => void): Promise<void> {
    if (manifests.length === 0) return
    const before = await this.#controlPlane.proxies()
    for (const manifest of manifests) change(manifest)
    await eventually(async () => {
      const { revision, proxies } = await this.#controlPlane.proxies()
      if (revision === before.revision) throw new Error(`${manifests.join(', ')}: the configuration did not change`)
      const behind = proxies.filter(({ ackedRevision }) => ackedRevision !== revision).map(({ id }) => id)
      if (behind.length > 0) throw new Error(`revision ${revision} is not in force at ${behind.join(', ')}`)
    }, inForceWithinMs)
  }
}
