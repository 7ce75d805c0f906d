// The application behind the benchmarked mesh: says its colour, and streams for as long as somebody listens. Its environment: PORT, COLOUR.
import { createServer } from 'node:http'

const colour = process.env['COLOUR'] ?? ''
const tickMs = 100

const server = createServer((request, response) => {
  if (request.url !== '/stream') {
    response.end(colour)
    return
  }
  const timer = setInterval(() => response.write('tick\n'), tickMs)
  response.on('close', () => clearInterval(timer))
  response.write('tick\n')
})
server.listen(Number(process.env['PORT']), '127.0.0.1')
process.once('SIGTERM', () => process.exit(0))
