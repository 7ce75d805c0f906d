// What one xDS response changes, still undecoded: the client hands it to the runtime.
import type { TypeUrl } from '../../contracts/xds/names.ts'

export interface ResourceUpdate {
  readonly typeUrl: TypeUrl
  readonly changed: readonly { readonly name: string; readonly version: string; readonly body: Uint8Array }[]
  /** Names that no longer exist, or that were asked for and do not exist. */
  readonly removed: readonly string[]
  /** Of the snapshot that this comes from. */
  readonly revision: string
}

/** A resource that stays as it was because the new one is unusable. */
export interface RejectedResource {
  readonly name: string
  readonly reason: string
}
