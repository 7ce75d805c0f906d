// An HTTP server that echoes the text of WebSocket messages, of up to 125 bytes (RFC 6455 section 5.2), and answers other requests.
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

export function webSocketEcho(answer: string): Server {
  const server = createServer((_, response) => response.end(answer))
  server.on('upgrade', ({ headers }, socket) => {
    const accept = createHash('sha1').update(`${headers['sec-websocket-key']}${guid}`).digest('base64')
    socket
      .on('error', () => {})
      .write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
          `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
      )
    socket.on('data', (frame: Buffer) => {
      const length = (frame[1] as number) & 0x7f
      const mask = frame.subarray(2, 6)
      const payload = frame.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] as number))
      // the same opcode, without a mask
      socket.write(Buffer.concat([Uint8Array.of(frame[0] as number, length), payload]))
    })
  })
  return server
}
