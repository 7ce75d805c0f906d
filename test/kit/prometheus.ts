// Debian's prometheus, scraping twice a second.
import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { send } from './http-client.ts'
import { eventually } from './running-mesh.ts'

/** Why such tests are skipped, which the reporter says; false: they run. */
export const withoutPrometheus: string | false =
  spawnSync('prometheus', ['--version']).status === 0
    ? false
    : 'prometheus is not installed (apt-get install prometheus)'

export interface PrometheusOptions {
  readonly port: number
  /** "127.0.0.1:20004". */
  readonly targets: readonly string[]
  readonly paths: readonly string[]
  /** Of --enable-feature. */
  readonly feature: string
}

interface Answer {
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] }
}

export class Prometheus {
  readonly process: ChildProcess
  readonly #address: string
  readonly #folder: string

  private constructor(process: ChildProcess, address: string, folder: string) {
    this.process = process
    this.#address = address
    this.#folder = folder
  }

  static async start({ port, targets, paths, feature }: PrometheusOptions): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'heddle-prometheus-'))
    const jobs = paths.map((path) => ({
      job_name: path,
      metrics_path: path,
      static_configs: [{ targets }],
    }))
    const config = { global: { scrape_interval: '500ms', scrape_timeout: '500ms' }, scrape_configs: jobs }
    await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config))
    const address = `127.0.0.1:${port}`
    const args = [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      `--enable-feature=${feature}`,
      '--log.level=error',
    ]
    const started = new Prometheus(
      spawn('prometheus', args, { stdio: ['ignore', 'ignore', 'inherit'] }),
      address,
      folder,
    )
    try {
      await eventually(async () => assert.equal((await send({ address, target: '/-/ready' })).status, 200), 20_000)
      return started
    } catch (error) {
      await started.stop()
      throw error
    }
  }

  /** The first value; NaN where there is none. */
  async query(expression: string): Promise<number> {
    const target = `/api/v1/query?query=${encodeURIComponent(expression)}`
    const { body } = await send({ address: this.#address, target })
    return Number((JSON.parse(body) as Answer).data.result[0]?.value[1] ?? Number.NaN)
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = new Promise((resolve) => this.process.once('exit', resolve))
      this.process.kill('SIGKILL')
      await ended
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}
