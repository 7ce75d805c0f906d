// The error that a negative status of the system becomes, as node:net words it.
import { constants } from 'node:os'
import { getSystemErrorMessage, getSystemErrorName } from 'node:util'

/** libuv's own, on every system. */
export const endOfFile = -4095
export const notConnected: number = -constants.errno.ENOTCONN

export function systemError(status: number, action: string, where = ''): NodeJS.ErrnoException {
  const code = getSystemErrorName(status)
  const error: NodeJS.ErrnoException = new Error(
    `${action} ${code}: ${getSystemErrorMessage(status) ?? 'unknown error'}${where === '' ? '' : ` ${where}`}`,
  )
  error.code = code
  error.errno = status
  error.syscall = action
  return error
}
