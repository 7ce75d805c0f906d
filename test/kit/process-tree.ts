// The processes below another one, as Linux tells of them.
import { readFile } from 'node:fs/promises'

export interface ProcessInfo {
  readonly pid: number
  readonly parent: number
  readonly command: readonly string[]
}

/** All descendants of `root`, parents first; those that end meanwhile are left out. */
export async function processTree(root: number): Promise<ProcessInfo[]> {
  const found: ProcessInfo[] = []
  for (const pid of await childrenOf(root)) {
    const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (text === '') continue
    found.push({ pid, parent: root, command: text.split('\0').slice(0, -1) }, ...(await processTree(pid)))
  }
  return found
}

/** A zombie, which nobody has asked for its status yet, is not. */
export async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat !== '' && !/\) [ZX] /.test(stat)
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return text.split(' ').filter(Boolean).map(Number)
}
