// The files that access logs of a process are written to: one writer for each, whoever's lines they are.
import type { Clock } from '../../core/clock.ts'
import { type CountLines, LineFile } from '../../core/line-file.ts'
import type { Logger } from '../../core/logger.ts'
import type { FileRotationSpec } from '../../policies/access-log/access-log.spec.ts'

/** So long a process that ends waits for a disk that hangs. */
const lastWriteMs = 1_000

export class AccessLogFiles {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #files = new Map<string, LineFile>()

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  write(path: string, rotation: FileRotationSpec, line: string, counted: CountLines): void {
    let file = this.#files.get(path)
    if (file === undefined) {
      const tell = (problem: string): void => this.#logger.warn('access log', { file: path, problem })
      this.#files.set(path, (file = new LineFile(path, { clock: this.#clock, tell })))
    }
    file.write(line, rotation, counted)
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const deadline = this.#clock.setTimer(lastWriteMs, resolve)
    await Promise.race([Promise.all([...this.#files.values()].map((file) => file.close())), promise])
    deadline.cancel()
  }
}
