// The process groups that a supervisor has started. A small shell at its side stops them should it die without doing so itself.
import { spawn, type ChildProcess } from 'node:child_process'

import type { CliHost } from '../host.ts'

/**
 * Reads "+PGID" and "-PGID". At the end of input it removes the file that says that something runs here, and stops what is left:
 * SIGTERM, ten seconds, SIGKILL.
 */
const reaperScript = `
trap '' INT TERM HUP
groups=' '
while read -r line; do
  group=\${line#?}
  case $line in
    +*) groups="$groups$group " ;;
    -*) case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac ;;
  esac
done
rm -f "$1"
for group in $groups; do kill -TERM "-$group" 2>/dev/null; done
tries=0
while [ $tries -lt 100 ]; do
  left=
  for group in $groups; do kill -0 "-$group" 2>/dev/null && left=1; done
  [ -z "$left" ] && exit 0
  sleep 0.1
  tries=$((tries + 1))
done
for group in $groups; do kill -KILL "-$group" 2>/dev/null; done
`

export class ProcessGroups {
  readonly #host: CliHost
  readonly #stateFile: string
  readonly #groups = new Set<number>()
  #reaper: ChildProcess | undefined
  #closed = false

  /** `stateFile` is removed when the supervisor is gone. */
  constructor(host: CliHost, stateFile: string) {
    this.#host = host
    this.#stateFile = stateFile
    this.#startReaper()
  }

  add(group: number): void {
    this.#groups.add(group)
    this.#tell(`+${group}\n`)
  }

  remove(group: number): void {
    this.#groups.delete(group)
    this.#tell(`-${group}\n`)
  }

  killAll(): void {
    for (const group of this.#groups) this.#host.kill(-group, 'SIGKILL')
  }

  /** The reaper leaves; it stops those that are left. */
  close(): void {
    this.#closed = true
    this.#reaper?.stdin?.end()
    this.#reaper?.unref()
  }

  #startReaper(): void {
    // a session of its own: no signal meant for the supervisor's terminal or group may reach it
    const reaper = spawn('/bin/sh', ['-c', reaperScript, 'heddle-reaper', this.#stateFile], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: this.#host.env['PATH'] ?? '/usr/bin:/bin' },
    })
    this.#reaper = reaper
    reaper.stdin.on('error', () => {
      // it was killed: 'exit' starts another
    })
    reaper.once('error', () => {
      // no shell on this machine: the children watch their channels
      this.#closed = true
    })
    reaper.once('exit', () => {
      if (!this.#closed) this.#startReaper()
    })
    for (const group of this.#groups) this.#tell(`+${group}\n`)
  }

  #tell(line: string): void {
    this.#reaper?.stdin?.write(line)
  }
}
