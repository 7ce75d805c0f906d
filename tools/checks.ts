// The stages that `make verify` and `make test` share, the quick ones first.
import type { Stage } from './stages.ts'

export const bin = 'node_modules/.bin'

export const checks: readonly Stage[] = [
  { name: 'format', command: [`${bin}/oxfmt`, '--check'], counts: false },
  { name: 'lint', command: [`${bin}/oxlint`], counts: false },
  { name: 'types', command: [`${bin}/tsc`, '-b'], counts: false },
  { name: 'types of the page', command: [`${bin}/tsc`, '-p', 'dashboard'], counts: false },
  // floors, lint and format are shown to fail on planted violations
  { name: 'floors and gates', command: nodeTest(['test/gates/gates.ts']), counts: true },
  { name: 'unit and golden', command: [`${bin}/vitest`, 'run'], counts: true },
]

/** A stage of node:test: every file is a process of its own. */
export function nodeTest(files: readonly string[]): readonly string[] {
  const options = [
    '--import=./test/kit/file-deadline.ts',
    '--test-concurrency=2',
    '--test-timeout=180000',
    '--test-reporter=./test/kit/last-line-node-test.ts',
  ]
  return ['node', ...options, '--test', ...files]
}
