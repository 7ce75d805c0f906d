// A child's output: appended to its file in the state directory.
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'

export class LogFile {
  readonly path: string
  readonly #stream: WriteStream

  constructor(stateDir: string, name: string) {
    const folder = join(stateDir, 'logs')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.path = join(folder, `${name}.log`)
    this.#stream = createWriteStream(this.path, { flags: 'a', mode: 0o600 })
    this.#stream.on('error', () => {
      // a full disk must not stop what is running
    })
  }

  line(text: string): void {
    this.#stream.write(`${text}\n`)
  }

  close(): void {
    this.#stream.end()
  }
}
