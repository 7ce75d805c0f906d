// Quantities and names as people read them.
import type { Signals } from '../../src/contracts/read-api.ts'
import { href } from './route.ts'

export function formatRate(requests: number, windowMs: number): string {
  const perSecond = (requests * 1000) / windowMs
  if (perSecond === 0) return '0/s'
  if (perSecond >= 1000) return `${(perSecond / 1000).toFixed(1)}k/s`
  return `${perSecond.toFixed(perSecond >= 100 ? 0 : perSecond >= 1 ? 1 : 2)}/s`
}

export function formatSuccess({ requests, failed }: Pick<Signals, 'requests' | 'failed'>): string {
  if (requests === 0) return '–'
  const percent = ((requests - failed) / requests) * 100
  // what failed is never rounded away
  if (failed > 0 && percent > 99.99) return '99.99%'
  return `${percent.toFixed(percent === 100 ? 0 : percent >= 99 ? 2 : 1)}%`
}

export function formatMs(ms: number | undefined): string {
  if (ms === undefined) return '–'
  if (ms >= 10_000) return `${(ms / 1000).toFixed(0)} s`
  if (ms >= 1_000) return `${(ms / 1000).toFixed(2)} s`
  return `${ms.toFixed(ms >= 10 ? 0 : 1)} ms`
}

export function formatClock(atMs: number): string {
  return new Date(atMs).toLocaleTimeString(undefined, { hour12: false })
}

export function formatAgo(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`
}

/** "service/default/web" → "web"; with its namespace where there are several. */
export function shortName(id: string): string {
  const [kind = '', ...rest] = id.split('/')
  return kind === 'outside' ? 'outside the mesh' : (rest.at(-1) ?? id)
}

/** Where a node, or the subject of an event, has a page; undefined: it has none. */
export function pageOf(id: string): string | undefined {
  const [kind = '', namespace = '', name = ''] = id.split('/')
  if (kind.toLowerCase() === 'service' && name !== '') return href(['service', namespace, name])
  if (kind.toLowerCase() === 'workload' && name !== '') return href(['workload', namespace, name])
  return undefined
}
