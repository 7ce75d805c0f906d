// The I/O back end on node:net and node:tls: runs everywhere, costs some speed against raw handles.
import { createServer, connect, isIP, type Socket } from 'node:net'
import { connect as tlsConnect, type TLSSocket } from 'node:tls'

import type { Clock } from '../../core/clock.ts'
import type {
  ClientTls,
  ConnectOptions,
  Connection,
  IoBackend,
  ListenAddress,
  ListeningHandle,
  ListenOptions,
  ServerSocket,
} from './connection.ts'
import { NetConnection, sharedReadBuffer } from './net-connection.ts'
import { serverAcceptor } from './tls-acceptor.ts'
import { clientContext } from './tls-contexts.ts'
import { acceptServer, handshakeResult, tlsInfo } from './tls-identity.ts'

const backlog = 4_096
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
      const secured = startTls(raw, options.tls)
      socket = secured
      await opened(secured, 'secureConnect')
      return NetConnection.secured(secured, raw, acceptServer(handshakeResult(secured), options.tls, clock.nowMs()))
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
          tlsInfo(handshakeResult(socket), tls.credentials, tls.clientCertificate === 'required', clock.nowMs()),
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
  where: ListenAddress | ListeningHandle,
  onConnection: (connection: Connection) => void,
  { reusePort = false }: ListenOptions = {},
): Promise<ServerSocket> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      const connection = NetConnection.accepted(socket)
      if (connection !== undefined) onConnection(connection)
    })
    server.once('error', reject)
    const onListening = (): void => {
      server.off('error', reject)
      // An error after this point concerns one accept (EMFILE); the listener goes on.
      server.on('error', () => {})
      const bound = server.address() as { address: string; port: number }
      resolve({
        address: { host: bound.address, port: bound.port },
        handle: (server as unknown as Record<'_handle', ListeningHandle>)['_handle'],
        close: () => new Promise((closed) => server.close(() => closed())),
      })
    }
    if ('fd' in where) server.listen(where, backlog, onListening)
    else server.listen({ host: where.host, port: where.port, backlog, exclusive: true, reusePort }, onListening)
  })
}

function startTls(raw: Socket, tls: ClientTls): TLSSocket {
  return tlsConnect({
    socket: raw,
    secureContext: clientContext(tls),
    // Whether the peer is accepted is for `acceptServer` to say, in the same words on every back end.
    rejectUnauthorized: false,
    // RFC 6066, section 3: addresses are not sent.
    servername: tls.kind === 'originate' && isIP(tls.serverName) === 0 ? tls.serverName : '',
    ALPNProtocols: [...tls.alpn],
    checkServerIdentity: () => undefined,
  })
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
