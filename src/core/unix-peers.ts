// Who is at the other end of a Unix socket, as the kernel knows it (SO_PEERCRED). Node has no call for it: koffi has, loaded when it is needed.
import { closeSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'

import { errorCode, errorMessage } from './errors.ts'

/** As of when it connected. */
export interface UnixPeer {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

export interface UnixPeers {
  /** Throws when the kernel does not say. */
  credentials(socket: Socket): UnixPeer
  /** Of the process that connected, never of one that has its number now. Throws, for a person, when it has ended or may not be looked at. */
  executable(socket: Socket): Executable
}

/** Paths are no proof: a process may have mounted anything there for itself. Device and inode are the file. */
export interface Executable {
  readonly path: string
  readonly dev: bigint
  readonly ino: bigint
}

// linux/include/uapi/asm-generic/socket.h, as x64 and arm64 have it
const SOL_SOCKET = 1
const SO_PEERCRED = 17
const SO_PEERPIDFD = 77
const SYS_pidfd_open = 434
const ucredBytes = 12

type GetSocketOption = (fd: number, level: number, name: number, value: Buffer, length: number[]) => number
type SystemCall = (call: number, pid: number, flags: number) => number

/** Rejects, for a person, where it cannot be had: koffi is not installed, or the system is another one. */
export async function loadUnixPeers(): Promise<UnixPeers> {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new Error(
      `SO_PEERCRED is read on Linux (x64, arm64) alone, and this is ${process.platform} (${process.arch})`,
    )
  }
  const { default: koffi } = await import('koffi').catch((error: unknown) => {
    throw new Error(
      `SO_PEERCRED is read by the optional dependency koffi, which cannot be loaded: ${errorMessage(error)}`,
    )
  })
  // what is loaded already: the runtime's own C library, whichever it is
  const libc = koffi.load(null)
  const getsockopt = libc.func(
    'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)',
  ) as GetSocketOption
  const syscall = libc.func('long syscall(long number, int pid, unsigned int flags)') as SystemCall

  const option = (socket: Socket, name: number, bytes: number): Buffer | undefined => {
    const value = Buffer.alloc(bytes)
    return getsockopt(descriptorOf(socket), SOL_SOCKET, name, value, [bytes]) === 0 ? value : undefined
  }
  const credentials = (socket: Socket): UnixPeer => {
    const ucred = option(socket, SO_PEERCRED, ucredBytes)
    if (ucred === undefined) throw new Error('the kernel does not say who the caller is')
    return { pid: ucred.readInt32LE(0), uid: ucred.readUInt32LE(4), gid: ucred.readUInt32LE(8) }
  }
  /** Before Linux 6.5 the process that has the number now, which from here on stays the same. */
  const openPeer = (socket: Socket): number => {
    const pidfd = option(socket, SO_PEERPIDFD, 4)?.readInt32LE(0) ?? syscall(SYS_pidfd_open, credentials(socket).pid, 0)
    if (pidfd < 0) throw new Error('the calling process has ended')
    return pidfd
  }
  return {
    credentials,
    executable(socket) {
      const pidfd = openPeer(socket)
      try {
        const link = `/proc/${livingProcess(pidfd)}/exe`
        const { dev, ino } = statSync(link, { bigint: true })
        const path = readlinkSync(link)
        // had it ended meanwhile, the number could be another's
        livingProcess(pidfd)
        return { path, dev, ino }
      } catch (error) {
        const code = errorCode(error)
        if (code !== 'EACCES' && code !== 'EPERM') throw error
        throw new Error('the executable of another user may be looked at by root (CAP_SYS_PTRACE) alone', {
          cause: error,
        })
      } finally {
        closeSync(pidfd)
      }
    },
  }
}

function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null }
  const fd = handle?.fd
  if (fd === undefined || fd < 0) throw new Error('the caller has gone')
  return fd
}

function livingProcess(pidfd: number): number {
  const [, pid = '-1'] = /^Pid:\t(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pidfd}`, 'utf8')) ?? []
  if (Number(pid) <= 0) throw new Error('the calling process has ended')
  return Number(pid)
}
