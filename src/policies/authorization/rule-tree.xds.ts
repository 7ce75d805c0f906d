// Permissions and principals put together.
import type { Permission, Principal } from './authorization.spec.ts'

/** What one value of `values` must match and none of `notValues` may. */
export function valuesMatch<T extends Permission | Principal>(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  toRule: (value: string) => T,
): T[] {
  const rules: T[] = []
  if (values !== undefined && values.length > 0) rules.push(anyOf(values.map(toRule)))
  if (notValues !== undefined && notValues.length > 0) rules.push(not(anyOf(notValues.map(toRule))))
  return rules
}

export function anyOf<T extends Permission | Principal>(rules: readonly T[]): T {
  const [only] = rules
  if (only === undefined) return not({ kind: 'any' } as T)
  return rules.length === 1 ? only : ({ kind: 'or', rules } as unknown as T)
}

export function allOf<T extends Permission | Principal>(rules: readonly T[]): T {
  const [only] = rules
  if (only === undefined) return { kind: 'any' } as T
  return rules.length === 1 ? only : ({ kind: 'and', rules } as unknown as T)
}

function not<T extends Permission | Principal>(rule: T): T {
  return { kind: 'not', rule } as unknown as T
}
