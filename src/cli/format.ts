// Quantities as people read them.

/** "850ms", "12s", "3m05s", "2h14m", "5d". Negative is "0s". */
export function formatAge(milliseconds: number): string {
  const ms = Math.max(0, milliseconds)
  if (ms < 1000) return ms === 0 ? '0s' : `${Math.round(ms)}ms`
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m${pad(seconds % 60)}s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours}h${pad(minutes % 60)}m` : `${Math.floor(hours / 24)}d`
}

/** "0.85ms", "12.3ms", "1.20s"; "-" when unknown. */
export function formatLatency(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return '-'
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)}s`
  return `${milliseconds.toFixed(milliseconds >= 10 ? 1 : 2)}ms`
}

export function formatTime(epochMs: number): string {
  // oxlint-disable-next-line no-restricted-globals -- formatting a given instant reads no clock
  return new Date(epochMs).toISOString().replace('.000Z', 'Z')
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}
