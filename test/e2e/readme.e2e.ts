// The README's tour, to the letter: its shell blocks run one after the other in a tree that looks like a fresh clone.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { runCommand } from '../kit/run-command.ts'

const root = join(import.meta.dirname, '../..')
const tour = readFileSync(join(root, 'README.md'), 'utf8')
  .split(/^## /m)
  .find((one) => one.startsWith('A five-minute tour'))
const blocks = [...(tour ?? '').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block)

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-readme-'))
  // the tour edits the examples: a copy of those, links to the rest
  cpSync(join(root, 'examples'), join(folder, 'examples'), { recursive: true })
  for (const name of ['heddle', 'tools', 'src', 'node_modules', 'package.json', 'package-lock.json']) {
    symlinkSync(join(root, name), join(folder, name))
  }
})
after(async () => {
  // ends nothing when the tour got to its end
  await runCommand('./heddle', ['down'], { cwd: folder })
  rmSync(folder, { recursive: true, force: true })
})

test('the tour is true to the letter', async (t) => {
  assert.ok(blocks.length >= 5, 'the README has no tour')
  for (const block of blocks) {
    await t.test(block.trim(), async () => {
      const { exitCode, stdout, stderr } = await runCommand('bash', ['-euo', 'pipefail', '-c', block], {
        cwd: folder,
        timeoutMs: 60_000,
      })
      assert.equal(exitCode, 0, `${block}\n${stdout}\n${stderr}`)
      assert.doesNotMatch(stderr, /unknown (command|option)/)
    })
  }
})
