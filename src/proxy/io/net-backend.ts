// The I/O back end on node:net and node:tls: runs everywhere, costs some speed against raw handles.
import { createServer, connect, type Socket } from 'node:net'
import { connect as tlsConnect, type TLSSocket } from 'node:tls'

import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { ConnectOptions, Connection, IoBackend, MeshTls, ServerSocket, TlsInfo } from './connection.ts'
import { NetConnection, sharedReadBuffer } from './net-connection.ts'
import { serverAcceptor } from './tls-acceptor.ts'
import { clientContext, tlsInfo } from './tls-identity.ts'

export function createNetBackend(clock: Clock): IoBackend {
  async function dial(options: ConnectOptions): Promise<NetConnection> {
    const pending: { connection?: NetConnection } = {}
    const raw = connect({
      host: options.host,
      port: options.port,
      noDelay: true,
      allowHalfOpen: true,
      ...(options.tls === undefined && {
        onread: {
          buffer: sharedReadBuffer,
          callback: (count: number, buffer: Uint8Array) => {
            pending.connection?.received(buffer.subarray(0, count))
            return true
          },
        },
      }),
    })
    let socket: Socket = raw
    const timer = clock.setTimer(options.timeoutMs, () => {
      socket.destroy(new Error(`no connection to ${options.host}:${options.port} within ${options.timeoutMs} ms`))
    })
    try {
      await opened(raw, 'connect')
      if (options.tls === undefined) return (pending.connection = NetConnection.dialled(raw))
      if (options.tls.kind === 'originate') throw new Error('TLS towards servers outside the mesh is not there yet')
      const secured = startTls(raw, options.tls)
      socket = secured
      await opened(secured, 'secureConnect')
      return NetConnection.secured(secured, raw, acceptPeer(secured, options.tls))
    } catch (error) {
      socket.destroy()
      throw error
    } finally {
      timer.cancel()
    }
  }

  return {
    name: 'net',
    listen,
    connect: dial,
    async secure(connection, head, tls, timeoutMs): Promise<Connection> {
      if (!(connection instanceof NetConnection)) throw new TypeError('not a connection of this back end')
      const raw = connection.release(head)
      const timer = clock.setTimer(timeoutMs, () => raw.destroy(new Error('TLS handshake timed out')))
      try {
        const socket = await serverAcceptor(tls).accept(raw)
        return NetConnection.secured(
          socket,
          raw,
          tlsInfo(socket, tls.credentials, tls.clientCertificate === 'required'),
        )
      } catch (error) {
        raw.destroy()
        throw error
      } finally {
        timer.cancel()
      }
    },
  }
}

function listen(
  address: { host: string; port: number },
  onConnection: (connection: Connection) => void,
): Promise<ServerSocket> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      const connection = NetConnection.accepted(socket)
      if (connection !== undefined) onConnection(connection)
    })
    server.once('error', reject)
    server.listen({ host: address.host, port: address.port, backlog: 4096, exclusive: true }, () => {
      server.off('error', reject)
      // An error after this point concerns one accept (EMFILE); the listener goes on.
      server.on('error', () => {})
      const bound = server.address() as { address: string; port: number }
      resolve({
        address: { host: bound.address, port: bound.port },
        close: () => new Promise((closed) => server.close(() => closed())),
      })
    })
  })
}

function startTls(raw: Socket, { credentials, alpn }: MeshTls): TLSSocket {
  return tlsConnect({
    socket: raw,
    secureContext: clientContext(credentials),
    rejectUnauthorized: true,
    servername: '',
    ALPNProtocols: [...alpn],
    // The peer's name is its SPIFFE ID, compared after every handshake: Node skips this call on resumed sessions.
    checkServerIdentity: () => undefined,
  })
}

function acceptPeer(socket: TLSSocket, { credentials, peerSpiffeIds }: MeshTls): TlsInfo {
  try {
    const info = tlsInfo(socket, credentials, true)
    const id = info.peerSpiffeId as string
    if (peerSpiffeIds.includes(id)) return info
    throw new Error(`the peer is ${id}, expected ${peerSpiffeIds.join(' or ') || 'nobody'}`)
  } catch (error) {
    throw new Error(`peer not accepted: ${errorMessage(error)}`, { cause: error })
  }
}

function opened(socket: Socket | TLSSocket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      socket.off(event, onOpen).off('error', onError).off('close', onClose)
      if (error === undefined) resolve()
      else {
        // Late errors of a socket that is given up have nobody to hear them.
        socket.on('error', () => {})
        reject(error)
      }
    }
    const onOpen = (): void => settle()
    const onError = (error: Error): void => settle(error)
    const onClose = (): void => settle(new Error('closed by the peer'))
    socket.on(event, onOpen).on('error', onError).on('close', onClose)
  })
}
