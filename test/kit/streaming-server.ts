// A test application that keeps connections open: GET / answers at once, GET /ticks sends a line every 50 ms for ever, an upgrade echoes
// what it gets. Its environment: PORT.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  if (request.url !== '/ticks') {
    request.resume().on('end', () => response.end(`${request.url}\n`))
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  let tick = 0
  const timer = setInterval(() => response.write(`data: ${tick++}\n\n`), 50)
  response.on('close', () => clearInterval(timer))
})
server.on('upgrade', (_, socket, head) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  socket.write(head)
  socket.on('error', () => socket.destroy())
  socket.pipe(socket)
})
server.listen(Number(process.env['PORT']), '127.0.0.1')
process.once('SIGTERM', () => process.exit(0))
