// Takes out of what is shown of requests what the configuration in force says: of all its listeners together.
import { defaultRedactor, Redactor } from '../../policies/redaction/redaction.runtime.ts'
import type { RuntimeConfig } from '../runtime/runtime-config.ts'

/** To be made when the configuration changes. */
export function redactorOf({ listeners }: Pick<RuntimeConfig, 'listeners'>): Redactor {
  const fields = new Set<string>()
  const headers = new Set<string>()
  for (const { filterChains } of listeners.values())
    for (const { filter } of filterChains) {
      if (filter.kind !== 'http' || filter.redaction === undefined) continue
      for (const name of filter.redaction.fields) fields.add(name)
      for (const name of filter.redaction.headers) headers.add(name)
    }
  return fields.size + headers.size === 0
    ? defaultRedactor
    : new Redactor({ fields: [...fields], headers: [...headers] })
}
