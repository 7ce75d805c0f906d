// Where the page is: everything that a link should bring back stands in the fragment, "#/service/default/web?window=300".
import { useSyncExternalStore } from 'react'

export interface Route {
  /** ["service", "default", "web"]. */
  readonly path: readonly string[]
  readonly query: URLSearchParams
}

/** Seconds, and how they are called. */
export const windows = [
  [60, '1 min'],
  [300, '5 min'],
  [900, '15 min'],
  [3_600, '1 h'],
  [21_600, '6 h'],
] as const

export function windowOf({ query }: Route): number {
  const asked = Number(query.get('window'))
  return (windows.some(([seconds]) => seconds === asked) ? asked : 60) * 1000
}

export function keepWindow(windowMs: number): { readonly window?: string } {
  return windowMs === 60_000 ? {} : { window: String(windowMs / 1000) }
}

export function currentRoute(): Route {
  return parse(location.hash)
}

export function useRoute(): Route {
  return parse(useSyncExternalStore(subscribe, () => location.hash))
}

export function href(path: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const kept = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const asked = new URLSearchParams(kept).toString()
  return `#/${path.map(encodeURIComponent).join('/')}${asked === '' ? '' : `?${asked}`}`
}

export function go(to: string): void {
  location.hash = to
}

/** Changes some of the query and nothing else; the way back leads past it. */
export function amend(changes: Readonly<Record<string, string | undefined>>): void {
  const { path, query } = currentRoute()
  const before = Object.fromEntries(query)
  history.replaceState(null, '', href(path, { ...before, ...changes }))
  window.dispatchEvent(new HashChangeEvent('hashchange'))
}

function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  return {
    path: path
      .split('/')
      .filter((part) => part !== '')
      .map(decode),
    query: new URLSearchParams(query),
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function subscribe(changed: () => void): () => void {
  window.addEventListener('hashchange', changed)
  return () => window.removeEventListener('hashchange', changed)
}
