// The Logger of the composition roots: pino, one JSON object a line.
import { pino } from 'pino'
import type { Logger as Pino } from 'pino'

import type { Logger } from './logger.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface PinoLoggerOptions {
  /** On every line: "control-plane", "proxy". */
  readonly name: string
  readonly level?: LogLevel
  /** File descriptor to write to; standard error when absent, so that standard output stays a program's answer. */
  readonly fd?: number
}

export function createPinoLogger(options: PinoLoggerOptions): Logger {
  // synchronous: the last line before a crash is the one that matters
  const destination = pino.destination({ fd: options.fd ?? 2, sync: true })
  return wrap(pino({ level: options.level ?? 'info', base: { name: options.name } }, destination))
}

function wrap(inner: Pino): Logger {
  return {
    debug: (message, fields = {}) => inner.debug(fields, message),
    info: (message, fields = {}) => inner.info(fields, message),
    warn: (message, fields = {}) => inner.warn(fields, message),
    error: (message, fields = {}) => inner.error(fields, message),
    child: (fields) => wrap(inner.child(fields)),
  }
}
