// A test application: answers every request with what it saw and who it is, as JSON. Its environment: ECHO_PORTS for HTTP and ECHO_GRPC_PORTS
// for gRPC (comma separated), POD_NAME, POD_NAMESPACE.
import { createServer } from 'node:http'

import { serveGrpcEcho } from './grpc-echo.ts'

export interface Echo {
  readonly pod: string
  readonly namespace: string
  readonly method: string
  readonly path: string
  readonly host: string
  /** By lower-case name; each occurrence is one value. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly bodyBytes: number
}

/** Starts one HTTP server for each port on 127.0.0.1. */
export function serveEcho(ports: readonly number[], pod: string, namespace: string): void {
  for (const port of ports) {
    const server = createServer((request, response) => {
      const headers: Record<string, string[]> = {}
      for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
        const name = (request.rawHeaders[i] ?? '').toLowerCase()
        ;(headers[name] ??= []).push(request.rawHeaders[i + 1] ?? '')
      }
      let bodyBytes = 0
      request.on('data', (chunk: Buffer) => {
        bodyBytes += chunk.length
      })
      request.on('end', () => {
        const { method = '', url: path = '' } = request
        const echo: Echo = { pod, namespace, method, path, host: headers['host']?.[0] ?? '', headers, bodyBytes }
        response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(echo)}\n`)
      })
    })
    server.listen(port, '127.0.0.1')
    process.once('SIGTERM', () => server.close().closeIdleConnections())
  }
}

function portsOf(text: string): number[] {
  return text === '' ? [] : text.split(',').map(Number)
}

if (import.meta.main) {
  const { ECHO_PORTS = '', ECHO_GRPC_PORTS = '', POD_NAME = '', POD_NAMESPACE = '' } = process.env
  serveEcho(portsOf(ECHO_PORTS), POD_NAME, POD_NAMESPACE)
  for (const port of portsOf(ECHO_GRPC_PORTS)) {
    const stop = await serveGrpcEcho(port, POD_NAME, POD_NAMESPACE)
    process.once('SIGTERM', stop)
  }
}
