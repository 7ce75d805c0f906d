// Changes header lines in place: removes, then sets, then adds, so that a name may be removed and added anew (the order Envoy documents).
import { codecHeaders } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { HeaderLineSpec, HeaderModifierSpec } from './header-modifier.spec.ts'

export type HeaderModifier = (headers: HeaderList) => void

const namePattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// A field value: visible characters, blanks and obs-text, no blank at either end (RFC 9110 section 5.5).
const valuePattern = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

/** Undefined when there is nothing to change. Throws an Error when a line could not be written on the wire. */
export function compileHeaderModifier(spec: HeaderModifierSpec | undefined): HeaderModifier | undefined {
  if (spec === undefined) return undefined
  const remove = spec.remove.filter(isOurs)
  const set = spec.set.filter(({ name }) => isOurs(name))
  const add = spec.add.filter(({ name }) => isOurs(name))
  for (const line of [...set, ...add]) requireWritable(line)
  if (remove.length + set.length + add.length === 0) return undefined
  return (headers) => {
    for (const name of remove) headers.delete(name)
    for (const { name, value } of set) headers.set(name, value)
    for (const { name, value } of add) append(headers, name, value)
  }
}

/** A modifier that names lines of the codec has no effect on them. The authority is changed by a rewrite. */
function isOurs(name: string): boolean {
  return !name.startsWith(':') && !codecHeaders.has(name.toLowerCase())
}

function requireWritable({ name, value }: HeaderLineSpec): void {
  if (!namePattern.test(name)) throw new Error(`not a header name: ${JSON.stringify(name)}`)
  if (!valuePattern.test(value))
    throw new Error(
      `the value of header ${name} cannot be sent: it has a blank at an end, a control or a wide character`,
    )
}

/** Adds to the value that is there (Gateway API HTTPHeaderFilter.add); Set-Cookie is no list (RFC 9110 section 5.3). */
function append(headers: HeaderList, name: string, value: string): void {
  const present = name.toLowerCase() === 'set-cookie' ? undefined : headers.get(name)
  if (present === undefined) headers.add(name, value)
  else headers.set(name, present === '' ? value : `${present},${value}`)
}
