// The server side of TLS for sockets that were accepted elsewhere: a tls.Server that never listens and is given each one by hand.
// (A TLSSocket made directly with isServer leaves `authorized` false for valid clients.)
import type { Socket } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'

import type { ServerTls, TlsCredentials } from './connection.ts'
import { serverContextOptions } from './tls-contexts.ts'

export interface TlsAcceptor {
  /** Rejects with the handshake's error. */
  accept(raw: Socket): Promise<TLSSocket>
}

const acceptors = new WeakMap<TlsCredentials, Map<string, TlsAcceptor>>()

/** One per credentials object and kind of listener, so that renewed credentials apply to the next handshake. */
export function serverAcceptor(options: ServerTls): TlsAcceptor {
  let ofCredentials = acceptors.get(options.credentials)
  if (ofCredentials === undefined) acceptors.set(options.credentials, (ofCredentials = new Map()))
  const key = `${options.clientCertificate} ${options.alpn.join(' ')}`
  let acceptor = ofCredentials.get(key)
  if (acceptor === undefined) ofCredentials.set(key, (acceptor = createAcceptor(options)))
  return acceptor
}

function createAcceptor(options: ServerTls): TlsAcceptor {
  const server = createServer({
    ...serverContextOptions(options),
    requestCert: options.clientCertificate !== 'none',
    rejectUnauthorized: options.clientCertificate === 'required',
    ALPNProtocols: [...options.alpn],
    pauseOnConnect: true,
  })
  const waiting = new Map<string, { resolve: (socket: TLSSocket) => void; reject: (error: Error) => void }>()
  server.on('secureConnection', (socket) => {
    // Until the connection that is made of it listens.
    socket.on('error', () => {})
    waiting.get(fourTuple(socket))?.resolve(socket)
  })
  server.on('tlsClientError', (error, socket) => waiting.get(fourTuple(socket))?.reject(error))
  return {
    accept: (raw) =>
      new Promise((resolve, reject) => {
        const key = fourTuple(raw)
        let reason: Error | undefined
        const done = (): void => {
          waiting.delete(key)
          raw.off('close', onClose)
        }
        const onClose = (): void => {
          done()
          reject(reason ?? new Error('closed during the TLS handshake'))
        }
        raw.on('close', onClose).on('error', (error: Error) => (reason = error))
        waiting.set(key, {
          resolve(socket) {
            done()
            socket.allowHalfOpen = true
            resolve(socket)
          },
          reject(error) {
            done()
            reject(error)
          },
        })
        // An end in the middle of the handshake is the end of it; half-closing is for what comes after.
        raw.allowHalfOpen = false
        server.emit('connection', raw)
      }),
  }
}

/** What the TLS socket and the socket below it have in common. */
function fourTuple(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`
}
