// Bearer tokens that are made once for a state directory, 0600: of the control-plane API and the sidecars' admin APIs, and of the dashboard.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { writeFileAtomic } from '../../core/atomic-file.ts'
import { errorCode } from '../../core/errors.ts'
import { randomToken } from '../../core/random.ts'

/** Throws what the file system says when the folder cannot be written. */
export function readOrCreateAdminToken(stateDir: string): string {
  return readOrCreateToken(join(stateDir, 'admin-token'))
}

/** It only reads, by the dashboard's port. */
export function readOrCreateDashboardToken(stateDir: string): string {
  return readOrCreateToken(join(stateDir, 'dashboard-token'))
}

function readOrCreateToken(file: string): string {
  try {
    const token = readFileSync(file, 'utf8').trim()
    if (token !== '') return token
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
  const token = randomToken()
  writeFileAtomic(file, `${token}\n`)
  return token
}
