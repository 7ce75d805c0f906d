// An application for tests of the supervisor: listens on PORT; BEHAVIOUR says what it does instead.
import { spawn } from 'node:child_process'
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
    // in a group of its own, with the same output
    if (process.env['BEHAVIOUR'] === 'last-words')
      spawn('sh', ['-c', 'sleep 0.3; echo last words'], { detached: true, stdio: ['ignore', 'inherit', 'ignore'] })
    process.exit(0)
  })
}
