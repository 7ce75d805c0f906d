// The library for CEL is loaded by whoever meets the first expression, and by nobody else.
import { execFileSync } from 'node:child_process'

import { expect, it } from 'vitest'

const source = (path: string): string => JSON.stringify(new URL(`../src/${path}`, import.meta.url).href)

/** Names of the library's modules that a process has loaded once it has run the code. */
function loadedBy(code: string): number {
  const program = `
    import { registerHooks } from 'node:module'
    let loaded = 0
    registerHooks({ load: (url, context, next) => (url.includes('/@bufbuild/cel/') && loaded++, next(url, context)) })
    ${code}
    console.log(loaded)`
  return Number(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }))
}

it.each(['bin/proxy.ts', 'bin/control-plane.ts', 'insight/authorization-check.ts'])('%s starts without it', (root) => {
  expect(loadedBy(`await import(${source(root)})`)).toBe(0)
})

it('is loaded with the first expression', () => {
  const code = `const { parseCel } = await import(${source('core/cel/library.ts')})\nparseCel('true')`
  expect(loadedBy(code)).toBeGreaterThan(10)
})
