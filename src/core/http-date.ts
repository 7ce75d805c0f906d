// Dates as HTTP writes them (RFC 9110 section 5.6.7).

/** Milliseconds since the Unix epoch; undefined: it is none. */
export function parseHttpDate(text: string): number | undefined {
  // all three forms begin with the day of the week
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}
