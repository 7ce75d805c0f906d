// Times as documents and their statuses have them (RFC 3339).

const pattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/

/** Milliseconds since the Unix epoch; undefined: it is no such time. */
export function parseRfc3339(text: string): number | undefined {
  const ms = pattern.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

export function formatRfc3339(epochMs: number): string {
  return new Date(epochMs).toISOString()
}
