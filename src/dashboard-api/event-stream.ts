// Server-sent events to one reader.
import type { FastifyReply } from 'fastify'

const mostWaitingBytes = 8 * 1024 * 1024

export interface EventStream {
  /** Left out when a slow reader has not taken what was sent before, where `isMadeUpFor` by what comes later. Who does not read at all has to come again. */
  send(event: string, data: unknown, isMadeUpFor?: boolean): void
  end(): void
  onClose(closed: () => void): void
}

export function startEventStream(reply: FastifyReply): EventStream {
  reply.hijack()
  const { raw } = reply
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(200, { 'content-type': 'text/event-stream' })
  raw.flushHeaders()
  return {
    send(event, data, isMadeUpFor = false) {
      if (raw.writableEnded || raw.destroyed || (isMadeUpFor && raw.writableNeedDrain)) return
      raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
      if (raw.writableLength > mostWaitingBytes) raw.destroy()
    },
    end: () => raw.end(),
    onClose: (closed) => raw.once('close', closed),
  }
}
