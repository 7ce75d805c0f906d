// Writes a file whole or not at all: a reader never sees half of it, whatever dies meanwhile.
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** `mode` is 0600 unless given; folders that are missing are made, 0700. Throws what the file system says. */
export function writeFileAtomic(file: string, content: string, mode = 0o600): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.new`
  try {
    writeFileSync(fresh, content, { mode })
    // the mode above counts only when the file is made: one left behind by a crash keeps its own
    chmodSync(fresh, mode)
    renameSync(fresh, file)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  }
}
