// A child's output: appended to its file in the state directory, which never grows without end.
import { createWriteStream, mkdirSync, statSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'

import { rotateNames } from '../../core/rotated-names.ts'

/** When a file is as long, it makes place for a new one. */
const longestBytes = 16 * 1024 * 1024
/** Files that are kept besides the one that is written: NAME.1.log is the newest of them. */
const keptFiles = 3

export class LogFile {
  readonly path: string
  readonly #longestBytes: number
  #stream: WriteStream
  #bytes: number

  constructor(stateDir: string, name: string, longest: number = longestBytes) {
    const folder = join(stateDir, 'logs')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.path = join(folder, `${name}.log`)
    this.#longestBytes = longest
    this.#bytes = statSync(this.path, { throwIfNoEntry: false })?.size ?? 0
    this.#stream = this.#open()
  }

  line(text: string): void {
    if (this.#bytes >= this.#longestBytes) this.#rotate()
    const line = `${text}\n`
    this.#bytes += Buffer.byteLength(line)
    this.#stream.write(line)
  }

  close(): void {
    this.#stream.end()
  }

  #open(): WriteStream {
    const stream = createWriteStream(this.path, { flags: 'a', mode: 0o600 })
    stream.on('error', () => {
      // a full disk must not stop what is running
    })
    return stream
  }

  /** What is still to be written goes to the file under its new name: a stream keeps what it has opened. */
  #rotate(): void {
    this.#bytes = 0
    // not open yet: its name is not to be taken from it
    if (this.#stream.pending) return
    this.#stream.end()
    rotateNames(this.path, keptFiles)
    this.#stream = this.#open()
  }
}
