// An application for tests of the supervisor: listens on PORT; BEHAVIOUR says what it does instead.
import { createServer } from 'node:net'

console.log(`application ${process.env['HEDDLE_WORKLOAD']} is process ${process.pid}`)
if (process.env['BEHAVIOUR'] === 'crash') {
  console.error('cannot go on: no database')
  process.exitCode = 3
} else if (process.env['BEHAVIOUR'] === 'deaf') setInterval(() => {}, 1000)
else createServer((socket) => socket.destroy()).listen(Number(process.env['PORT']), '127.0.0.1')
if (process.env['BEHAVIOUR'] !== 'crash') {
  process.on('SIGTERM', () => {
    console.log('draining')
    process.exit(0)
  })
}
