// The programs of the load and of the back ends: C++, compiled once into build/bench.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const sources = join(import.meta.dirname, 'native')
const binaries = join(import.meta.dirname, '..', 'build', 'bench')

/** Path of a program of bench/native; compiled when its sources are newer. */
export function native(program: string): string {
  const binary = join(binaries, program)
  const newest = Math.max(...readdirSync(sources).map((file) => statSync(join(sources, file)).mtimeMs))
  if ((statSync(binary, { throwIfNoEntry: false })?.mtimeMs ?? 0) > newest) return binary
  mkdirSync(binaries, { recursive: true })
  const args = ['-O2', '-std=c++20', '-Wall', '-Wextra', '-o', binary, join(sources, `${program}.cpp`)]
  const result = spawnSync('g++', args, { encoding: 'utf8' })
  if (result.error !== undefined) throw new Error('no C++ compiler: install g++ (bench/install-peers does)')
  if (result.status !== 0) throw new Error(`g++ ${args.join(' ')}\n${result.stderr}`)
  return binary
}
