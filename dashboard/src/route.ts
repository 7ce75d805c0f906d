// Where the page is: everything that a link should bring back stands in the fragment, "#/service/default/web?window=300".
import { useSyncExternalStore } from 'react'

export interface Route {
  /** ["service", "default", "web"]. */
  readonly path: readonly string[]
  readonly query: URLSearchParams
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
  const { path, query } = parse(location.hash)
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
