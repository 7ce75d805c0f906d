// The headers of a request as a map for conditions in CEL: names in lower case, lines of one name joined with ",".
import type { HeaderList } from '../core/header-list.ts'

export function joinedHeaders(headers: HeaderList): Map<string, string> {
  const joined = new Map<string, string>()
  for (const [line, value] of headers) {
    const name = line.toLowerCase()
    const before = joined.get(name)
    joined.set(name, before === undefined ? value : `${before},${value}`)
  }
  return joined
}
