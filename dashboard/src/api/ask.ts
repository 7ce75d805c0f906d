// Asks the read API, once or again and again.
import { useEffect, useState } from 'react'

import { token } from './token.ts'

export class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Rejects with `Refused` when the answer is no 200. */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  const headers = { authorization: `Bearer ${token()}` }
  const answer = await fetch(path, { headers, ...(signal && { signal }) })
  if (answer.ok) return (await answer.json()) as T
  const body = (await answer.json().catch(() => ({}))) as { message?: string }
  throw new Refused(answer.status, body.message ?? `status ${answer.status}`)
}

export interface Asked<T> {
  /** The newest answer; it stays while the next is on its way. */
  readonly answer: T | undefined
  readonly error: Error | undefined
}

/** `path` is made anew each time, so that it can say from when to when. It changes with `key`. */
export function useAnswer<T>(key: string, path: () => string, everyMs: number): Asked<T> {
  const [asked, setAsked] = useState<Asked<T> & { readonly key: string }>({ key, answer: undefined, error: undefined })
  useEffect(() => {
    const aborting = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const again = async (): Promise<void> => {
      try {
        const answer = await ask<T>(path(), aborting.signal)
        if (!aborting.signal.aborted) setAsked({ key, answer, error: undefined })
      } catch (error) {
        if (!aborting.signal.aborted)
          setAsked((before) => ({ key, answer: before.key === key ? before.answer : undefined, error: error as Error }))
      }
      if (!aborting.signal.aborted) timer = setTimeout(() => void again(), everyMs)
    }
    void again()
    return () => {
      aborting.abort()
      clearTimeout(timer)
    }
    // `path` is a new function with each rendering; `key` says when it means something else
  }, [key, everyMs])
  return asked.key === key ? asked : { answer: undefined, error: undefined }
}
