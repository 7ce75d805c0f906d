// Whether a finished request gets a line: asked once for each, before anything is made of it.
import type { Random } from '../../core/random.ts'
import type { AccessLogSpec } from './access-log.spec.ts'

/** `flags`: how many response flags the request has. */
export function isLogged(spec: AccessLogSpec, status: number, flags: number, random: Random): boolean {
  if (!spec.enabled) return false
  if (status >= 500 || flags > 0) return true
  return spec.samplePercent >= 100 || random.next() * 100 < spec.samplePercent
}
