// A copy of what the gates look at, in a temporary folder, so that a violation can be planted without touching the checkout.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const copied = ['src', 'tsconfig', 'package.json', '.oxlintrc.json', '.oxfmtrc.json']

export class TreeCopy implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'heddle-gates-'))

  constructor() {
    for (const name of copied) cpSync(join(root, name), join(this.folder, name), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(this.folder, 'node_modules'))
  }

  plant(file: string, text: string): void {
    mkdirSync(dirname(join(this.folder, file)), { recursive: true })
    writeFileSync(join(this.folder, file), text)
  }

  run(tool: string, ...args: readonly string[]): { readonly exitCode: number | null; readonly output: string } {
    const { status, stdout, stderr } = spawnSync(join(root, 'node_modules/.bin', tool), args, {
      cwd: this.folder,
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1' },
    })
    return { exitCode: status, output: stdout + stderr }
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
