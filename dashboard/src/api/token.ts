// The token of the read API: it comes in the fragment of the address, which no server sees, and stays in this tab.

const key = 'heddle-token'

/** Takes the token out of the address bar, so that nobody copies it with a link. */
export function takeToken(): void {
  const match = /^#token=([^&]+)&?(.*)$/.exec(location.hash)
  if (match === null) return
  sessionStorage.setItem(key, match[1] ?? '')
  history.replaceState(null, '', `#${match[2] || '/topology'}`)
}

export function token(): string {
  return sessionStorage.getItem(key) ?? ''
}

export function setToken(value: string): void {
  sessionStorage.setItem(key, value.trim())
}
