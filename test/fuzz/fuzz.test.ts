import { expect, it } from 'vitest'

import { createRandom } from '../../src/core/random.ts'
import { fuzz } from './fuzz-run.ts'
import { MemoryProxy } from './memory-proxy.ts'
import { fuzzTargets } from './targets.ts'

for (const target of fuzzTargets) {
  it(`finds nothing in ${target.name}`, { timeout: 60_000 }, async () => {
    expect(await fuzz(target, createRandom(1))).toBeGreaterThanOrEqual(target.runs)
  })
}

it('the proxy in memory serves: else every input would pass', async () => {
  const proxy = await MemoryProxy.start()
  const { answer, received } = await proxy.say([Buffer.from('GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n')])
  expect(answer).toMatch(/^HTTP\/1\.1 200 /)
  expect(received[0]).toMatch(/^GET \/b HTTP\/1\.1\r\nHost: a\r\n/)
  await proxy.stop()
})

function check(input: Buffer): void {
  if (input.includes('b')) throw new Error('a defect')
}

it('saves what shows a defect, and says where', async () => {
  const { mkdtempSync, rmSync, readdirSync } = await import('node:fs')
  const folder = mkdtempSync(new URL('corpus/self-test-', import.meta.url).pathname)
  const name = folder.slice(folder.lastIndexOf('/') + 1)
  try {
    const seeds = [Buffer.from('aaaa'), Buffer.from('aa'.repeat(9))]
    const found = fuzz({ name, seeds, runs: 100_000, check }, createRandom(1))
    await expect(found).rejects.toThrow(/input saved as .*\.bin$/)
    expect(readdirSync(folder)).toHaveLength(1)
    await expect(fuzz({ name, seeds, runs: 1, check }, createRandom(1))).rejects.toThrow('a defect')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
