// A proxy to compare with: its processes on the proxies' core, the last one is where requests enter.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

import { processTree, proxyCore, start, type Started, untilListening } from '../processes.ts'
import type { Bench, ProxyUnderTest, Serving, Topology } from '../proxy-under-test.ts'

export interface PeerProcess {
  readonly port: number
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export abstract class Peer implements ProxyUnderTest {
  readonly name: string
  readonly topologies: readonly Topology[]
  readonly #command: string
  readonly #folder: string

  constructor(name: string, command: string, topologies: readonly Topology[], bench: Bench) {
    this.name = name
    this.topologies = topologies
    this.#command = command
    this.#folder = bench.folder
  }

  protected abstract processes(topology: Topology): Promise<readonly PeerProcess[]>

  async serve(topology: Topology): Promise<Serving> {
    const wanted = await this.processes(topology)
    if (!isInstalled(this.#command))
      throw new Error(`${this.#command} is not on PATH (bench/install-peers installs what Debian has)`)
    const started: Started[] = []
    const stop = async (): Promise<void> => {
      for (const one of started) await one.stop()
    }
    try {
      for (const [i, { port, args, env }] of wanted.entries()) {
        const logFile = join(this.#folder, `${this.name}-${topology}-${i}.log`)
        const one = start({
          core: proxyCore,
          command: this.#command,
          args,
          logFile,
          cwd: this.#folder,
          ...(env === undefined ? {} : { env }),
        })
        started.push(one)
        await untilListening(port, one, logFile)
      }
    } catch (error) {
      await stop()
      throw error
    }
    return { port: wanted.at(-1)?.port as number, pids: () => started.flatMap((one) => processTree(one.pid)), stop }
  }
}

function isInstalled(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0
}
