// Server-sent events of the read API by fetch: an EventSource shows no token.
import { Refused } from './ask.ts'
import { token } from './token.ts'

export interface Message {
  readonly name: string
  readonly data: unknown
}

export interface EventStreamOptions {
  readonly signal: AbortSignal
  /** Of a stream that says nothing for so long no more is expected. */
  readonly silentMs: number
  readonly opened?: () => void
  /** All that came at once. */
  readonly take: (messages: readonly Message[]) => void
}

const end = '\n\n'

/** Rejects when the stream ends or falls silent; with `Refused` when there is none. */
export async function readEventStream(path: string, options: EventStreamOptions): Promise<never> {
  const { signal, silentMs, opened, take } = options
  const silent = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const heard = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => silent.abort(new Error('the stream has fallen silent')), silentMs)
  }
  heard()
  try {
    const headers = { authorization: `Bearer ${token()}` }
    const answer = await fetch(path, { headers, signal: AbortSignal.any([signal, silent.signal]) })
    if (!answer.ok || answer.body === null) {
      const { message } = (await answer.json().catch(() => ({}))) as { readonly message?: string }
      throw new Refused(answer.status, message ?? `status ${answer.status}`)
    }
    opened?.()
    // pieces of what is not complete yet: a big message is put together once
    let pieces: string[] = []
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) throw new Error('the stream has ended')
      heard()
      const startsWithEnd = value.startsWith('\n') && pieces.at(-1)?.endsWith('\n') === true
      pieces.push(value)
      if (!startsWithEnd && !value.includes(end)) continue
      const texts = pieces.join('').split(end)
      pieces = [texts.pop() ?? '']
      take(texts.flatMap(parse))
    }
  } finally {
    clearTimeout(timer)
  }
}

function parse(text: string): readonly Message[] {
  const [, name, data] = /^event: (.*)\ndata: (.*)$/s.exec(text) ?? []
  return name === undefined || data === undefined ? [] : [{ name, data: JSON.parse(data) }]
}
