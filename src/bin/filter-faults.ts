// What a filter throws where nobody waits for it: it must not end the proxy that it runs in. Everything else does, as ever.
import { inspect } from 'node:util'

import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { filterUrl, hasFilters } from '../proxy/runtime/filter-module.ts'

const ownCode = new URL('..', import.meta.url).href

export function outliveFilters(logger: Logger): void {
  process.on('uncaughtException', (error: unknown, origin) => {
    const stack = error instanceof Error ? (error.stack ?? '') : ''
    if (!isOfFilter(stack, origin)) {
      process.stderr.write(`${inspect(error)}\n`)
      process.exit(1)
    }
    const [, filter] = /heddle-filters\/[0-9a-f]+\/(\S+?)\.ts:/.exec(stack) ?? []
    logger.error('a filter failed where nobody waits for it', { filter, error: errorMessage(error) })
  })
}

/** A rejection may have lost all trace of who caused it: what is not of our own making is then a filter's. */
function isOfFilter(stack: string, origin: NodeJS.UncaughtExceptionOrigin): boolean {
  if (stack.includes(filterUrl)) return true
  return origin === 'unhandledRejection' && hasFilters() && !stack.includes(ownCode)
}
