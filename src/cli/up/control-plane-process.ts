// The control plane as a child: started, waited for, started again on the same state when it dies.
import type { ControlPlaneMessage } from '../../contracts/bootstrap.ts'
import { RingBuffer } from '../../core/ring-buffer.ts'
import { CliError } from '../cli-error.ts'
import type { CliHost } from '../host.ts'
import { heddleEnvironment } from './heddle-environment.ts'
import { LogFile } from './log-file.ts'
import type { ProcessGroups } from './process-groups.ts'
import { SupervisedProcess, type ProcessEnd } from './supervised-process.ts'

export interface ControlPlaneProcessOptions {
  readonly stateDir: string
  /** Program and arguments, without `--parent-watch`. */
  readonly command: readonly string[]
  /** It serves: for the first time, or again. */
  readonly ready: (message: ControlPlaneMessage) => void
  /** It died after it had served and will be back. */
  readonly died: (reason: string) => void
  /** It died before it ever served: there is nothing to keep running. */
  readonly failed: (error: CliError) => void
}

export const controlPlaneGraceMs = 5000
const shownLines = 12

export class ControlPlaneProcess {
  readonly #options: ControlPlaneProcessOptions
  readonly #process: SupervisedProcess
  readonly #log: LogFile
  readonly #lines = new RingBuffer<string>(shownLines)
  #served = false

  constructor(host: CliHost, groups: ProcessGroups, options: ControlPlaneProcessOptions) {
    this.#options = options
    this.#log = new LogFile(options.stateDir, 'control-plane')
    this.#process = new SupervisedProcess(host, groups, {
      prepare: () =>
        Promise.resolve({
          command: [...options.command, '--parent-watch'],
          workingDirectory: host.workingDirectory,
          env: heddleEnvironment(host.env),
          channel: true,
        }),
      line: (line) => {
        this.#log.line(line)
        this.#lines.push(line)
      },
      message: (message) => {
        const received = message as ControlPlaneMessage
        if (received.type !== 'ready') return
        this.#served = true
        options.ready(received)
      },
      ended: (end) => this.#ended(end),
    })
    this.#process.start()
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  async stop(): Promise<void> {
    await this.#process.stop(controlPlaneGraceMs)
    this.#log.close()
  }

  #ended({ reason, status }: ProcessEnd): void {
    if (this.#served) {
      this.#options.died(reason)
      return
    }
    const output = this.#lines.toArray().join('\n')
    this.#options.failed(
      new CliError(`the control plane ${reason}${output === '' ? '' : `:\n${output}`}`, {
        exitCode: status === 2 ? 2 : 1,
      }),
    )
  }
}
