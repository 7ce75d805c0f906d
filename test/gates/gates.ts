// The gates are seen to fail: each fence between floors, each lint rule that carries the design, the format, and the first line of a file.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { TreeCopy } from './tree-copy.ts'

/** Floor (or suffix of a policy) → what it may import. Says again what tsconfig/ implements. */
const spec = ['core', 'contracts', 'policies-spec']
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  contracts: ['core'],
  'policies-spec': ['core', 'contracts'],
  'policies-schema': spec,
  'policies-xds': spec,
  'policies-runtime': spec,
  control: [...spec, 'policies-schema', 'policies-xds'],
  proxy: [...spec, 'policies-xds', 'policies-runtime'],
  insight: [...spec, 'policies-schema', 'policies-xds', 'policies-runtime', 'control', 'proxy'],
  'dashboard-api': [...spec, 'policies-schema', 'policies-xds', 'control'],
  cli: [...spec, 'policies-schema', 'policies-xds', 'policies-runtime', 'control', 'proxy', 'insight'],
  bin: [
    ...spec,
    'policies-schema',
    'policies-xds',
    'policies-runtime',
    'control',
    'proxy',
    'insight',
    'dashboard-api',
    'cli',
  ],
}

const floors = Object.keys(mayImport)
const pairs = floors.flatMap((from) => floors.filter((to) => to !== from).map((to) => ({ from, to })))
const legal = pairs.filter(({ from, to }) => mayImport[from]?.includes(to))
const illegal = pairs.filter(({ from, to }) => !mayImport[from]?.includes(to))

/** "policies-xds" → src/policies/planted/<name>.xds.ts, "core" → src/core/planted/<name>.ts. */
function pathOn(floor: string, name: string): string {
  const [, suffix] = /^policies-(.*)$/.exec(floor) ?? []
  const folder = suffix === undefined ? floor : 'policies'
  return `src/${folder}/planted/${name}${suffix === undefined ? '' : `.${suffix}`}.ts`
}

function importing(from: string, to: string): string {
  return pathOn(from, `imports-${to}`)
}

describe('fences between floors', () => {
  const tree = new TreeCopy()
  after(() => tree[Symbol.dispose]())
  let compiled: ReturnType<TreeCopy['run']>

  before(() => {
    for (const floor of floors) tree.plant(pathOn(floor, 'target'), 'export type Target = string\n')
    for (const { from, to } of [...legal, ...illegal]) {
      // type-only: the kind of import that leaves no trace at run time must be refused too
      const text = `import type { Target } from '../../../${pathOn(to, 'target')}'\n\nexport type Again = Target\n`
      tree.plant(importing(from, to), text)
    }
    compiled = tree.run('tsc', '-b', 'tsconfig/bin.json', '--pretty', 'false')
  })

  it('fail the compilation', () => {
    assert.notEqual(compiled.exitCode, 0)
  })
  for (const { from, to } of illegal) {
    it(`${from} may not import ${to}`, () => {
      assert.ok(complains(compiled.output, importing(from, to)), `nothing said about ${importing(from, to)}`)
    })
  }
  for (const { from, to } of legal) {
    it(`${from} may import ${to}`, () => {
      assert.ok(!complains(compiled.output, importing(from, to)), compiled.output)
    })
  }
})

/** Whether a compiler or lint line speaks of this place. */
function complains(output: string, file: string): boolean {
  return output.split('\n').some((line) => line.includes(`${file}(`) || line.includes(`${file}:`))
}

const banned: readonly {
  readonly what: string
  readonly file: string
  readonly text: string
  readonly rule: string
}[] = [
  {
    what: 'Date.now outside core and bin',
    file: 'src/control/planted-date.ts',
    text: 'export const startMs: number = Date.now()\n',
    rule: 'no-restricted-globals',
  },
  {
    what: 'a timer outside core and bin',
    file: 'src/proxy/planted-timer.ts',
    text: 'setTimeout(() => undefined, 1)\n',
    rule: 'no-restricted-globals',
  },
  {
    what: 'Math.random outside core and bin',
    file: 'src/proxy/planted-random.ts',
    text: 'export const chance: number = Math.random()\n',
    rule: 'no-restricted-properties',
  },
  {
    what: 'the environment outside core and bin',
    file: 'src/control/planted-env.ts',
    text: "export const home: string | undefined = process.env['HOME']\n",
    rule: 'no-restricted-globals',
  },
  {
    what: 'console outside core and bin',
    file: 'src/control/planted-console.ts',
    text: "console.log('here')\n",
    rule: 'no-restricted-globals',
  },
  {
    what: 'a socket in a runtime policy',
    file: 'src/policies/planted/planted.runtime.ts',
    text: "import { connect } from 'node:net'\n\nexport const open: typeof connect = connect\n",
    rule: 'no-restricted-imports',
  },
  {
    what: 'a default export',
    file: 'src/control/planted-default.ts',
    text: 'const planted = 1\nexport default planted\n',
    rule: 'no-default-export',
  },
  {
    what: 'a file of 506 lines',
    file: 'src/control/planted-long.ts',
    text: `${Array.from({ length: 506 }, (_, line) => `export const line${line}: number = ${line}`).join('\n')}\n`,
    rule: 'max-lines',
  },
  {
    what: 'a floating promise',
    file: 'src/control/planted-promise.ts',
    text: "async function later(): Promise<string> {\n  return 'later'\n}\nlater()\n",
    rule: 'no-floating-promises',
  },
]

describe('lint', () => {
  const tree = new TreeCopy()
  after(() => tree[Symbol.dispose]())
  let linted: ReturnType<TreeCopy['run']>

  before(() => {
    for (const { file, text } of banned) tree.plant(file, text)
    linted = tree.run('oxlint', '--format', 'unix', ...banned.map(({ file }) => file))
  })

  it('fails', () => {
    assert.notEqual(linted.exitCode, 0)
  })
  for (const { what, file, rule } of banned) {
    it(`refuses ${what}`, () => {
      const lines = linted.output.split('\n').filter((line) => line.includes(file))
      assert.ok(
        lines.some((line) => line.includes(rule)),
        linted.output,
      )
    })
  }
})

describe('format', () => {
  it('refuses semicolons and double quotes', () => {
    using tree = new TreeCopy()
    tree.plant('src/core/planted.ts', 'export const planted: string = "x";\n')
    const { exitCode, output } = tree.run('oxfmt', '--check', 'src/core')
    assert.notEqual(exitCode, 0)
    assert.match(output, /planted\.ts/)
  })
})

/** Of sources that do not begin by saying what they are: the formatter may sort an import above it. */
function silentFiles(root: string): string[] {
  const files = globSync('{src,bench,dashboard/src,test/kit}/**/*.{ts,tsx}', { cwd: root })
  return files
    .filter((file) => !file.includes('/gen/') && !file.endsWith('.test.ts'))
    .filter((file) => !/^(?:\/[/*]|#!)/.test(readFileSync(join(root, file), 'utf8')))
}

describe('the first line of a file', () => {
  it('says what it is', () => assert.deepEqual(silentFiles(join(import.meta.dirname, '../..')), []))

  it('is missed where it is an import', () => {
    using tree = new TreeCopy()
    tree.plant('src/core/planted.ts', "import { join } from 'node:path'\n// What it is.\n")
    assert.deepEqual(silentFiles(tree.folder), ['src/core/planted.ts'])
  })
})
