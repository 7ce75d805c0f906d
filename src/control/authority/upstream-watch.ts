// Sees that the files of the user's own certificate authority have changed, and hands them to the authority.
import { statSync } from 'node:fs'

import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { UpstreamFiles } from './upstreams.ts'

export interface UpstreamWatchOptions {
  readonly files: UpstreamFiles
  /** Throws when the files cannot be used; what was in force stays. */
  readonly reload: () => void
  readonly clock: Clock
  readonly logger: Logger
}

/** Looking is cheaper than being told: mounted secrets are replaced by renaming a folder above them. */
const pollMs = 1_000

/** Until the returned function is called. The files as they are now count as known. */
export function watchUpstreamFiles({ files, reload, clock, logger }: UpstreamWatchOptions): () => void {
  const looked = [files.certificateFile, 'keyFile' in files ? files.keyFile : files.program]
  const look = (): string => looked.map(versionOf).join(' ')
  let known = look()
  let failure = ''
  const check = (): void => {
    timer = clock.setTimer(pollMs, check)
    const found = look()
    if (found === known) return
    try {
      reload()
      known = found
      failure = ''
      logger.info('the certificate authority was read again', { file: files.certificateFile })
    } catch (error) {
      // one of the two may have been written before the other: it is tried again
      const reason = errorMessage(error)
      if (reason !== failure) logger.error('the new certificate authority stays out of force', { reason })
      failure = reason
    }
  }
  let timer: Timer = clock.setTimer(pollMs, check)
  return () => timer.cancel()
}

function versionOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file)
    return `${ino}:${size}:${mtimeMs}`
  } catch {
    return 'none'
  }
}
