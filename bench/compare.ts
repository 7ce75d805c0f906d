// `npm run bench:compare REV -- [--quick] [--only WORK,...] [--rounds N] [--json FILE]`: this checkout's Heddle beside that of another revision.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, symlinkSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Heddle } from './heddle.ts'
import { readOptions } from './options.ts'
import { openSession, report } from './session.ts'

const options = readOptions()
const [revision] = options.positionals
if (revision === undefined) {
  console.error('npm run bench:compare REV')
  process.exit(2)
}
const tree = join(import.meta.dirname, '..')
const other = mkdtempSync(join(tmpdir(), 'heddle-revision-'))

function git(...args: readonly string[]): string {
  const result = spawnSync('git', ['-C', tree, ...args], { encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`git ${args[0]}: ${result.stderr.trim()}`)
  return result.stdout
}

git('worktree', 'add', '--detach', '--force', other, revision)
const session = await openSession()
try {
  // The runtime is the same for both; dependencies too, unless that revision had others.
  if (existsSync(join(tree, '.toolchain'))) symlinkSync(join(tree, '.toolchain'), join(other, '.toolchain'))
  const sameDependencies = git('diff', '--name-only', revision, '--', 'package-lock.json') === ''
  if (sameDependencies) {
    symlinkSync(join(tree, 'node_modules'), join(other, 'node_modules'))
    // The checkout made this file just now; newer than the installation it would mean that all is to be installed again, through the link.
    utimesSync(join(other, 'package-lock.json'), 0, 0)
  }
  const installed = spawnSync(join(other, 'tools', 'install'), { stdio: 'inherit' })
  if (installed.status !== 0) throw new Error(`the dependencies of ${revision} cannot be installed`)
  const proxies = [
    new Heddle({ name: 'heddle', tree }, session.bench),
    new Heddle({ name: `revision-${revision.replaceAll(/[^\w.-]/g, '_')}`, tree: other }, session.bench),
  ]
  await report({ ...options, proxies })
} finally {
  await session.stop()
  git('worktree', 'remove', '--force', other)
}
