// One supervisor per state directory. The lock is SQLite's on a file there: the system frees it however the process ends.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { errorMessage } from '../../core/errors.ts'
import { CliError } from '../cli-error.ts'

export interface StateLock {
  release(): void
}

/** Throws CliError when another supervisor holds it. */
export function lockStateDir(stateDir: string, pid: number): StateLock {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new CliError(`cannot make the state directory ${stateDir}: ${errorMessage(error)}`, {
      hint: 'choose another with --state-dir',
    })
  }
  const database = tryLock(stateDir)
  if (database === undefined) {
    const holder = readSupervisorPid(stateDir)
    throw new CliError(
      `a mesh is running on ${stateDir} already${holder === undefined ? '' : ` (process ${holder})`}`,
      {
        hint: 'stop it with `heddle down`, or choose another folder with --state-dir',
      },
    )
  }
  writeFileSync(pidFile(stateDir), `${pid}\n`, { mode: 0o600 })
  return { release: () => database.close() }
}

/** The process that holds the lock; undefined when nobody does. */
export function runningSupervisor(stateDir: string): number | undefined {
  const pid = readSupervisorPid(stateDir)
  if (pid === undefined) return undefined
  const database = tryLock(stateDir)
  if (database === undefined) return pid
  database.close()
  return undefined
}

function tryLock(stateDir: string): DatabaseSync | undefined {
  const database = new DatabaseSync(join(stateDir, 'up.lock'))
  try {
    database.exec('BEGIN EXCLUSIVE')
    return database
  } catch {
    database.close()
    return undefined
  }
}

function readSupervisorPid(stateDir: string): number | undefined {
  try {
    return Number(readFileSync(pidFile(stateDir), 'utf8'))
  } catch {
    return undefined
  }
}

function pidFile(stateDir: string): string {
  return join(stateDir, 'up.pid')
}
