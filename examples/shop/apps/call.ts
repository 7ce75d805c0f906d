// How one service of the shop calls another: by its plain name, with Node's own fetch.

/** Answers the decoded JSON; throws with the status for anything but 2xx. */
export async function call<T>(url: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000), ...init })
  if (!response.ok) throw new CallFailed(url, response.status, await response.text())
  return (await response.json()) as T
}

/** A POST of JSON. */
export function json(body: unknown, headers: Readonly<Record<string, string>> = {}): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
}

export class CallFailed extends Error {
  readonly status: number
  constructor(url: string, status: number, body: string) {
    super(`${url} answered ${status}: ${body.trim()}`)
    this.status = status
  }
}
