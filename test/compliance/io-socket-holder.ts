// The other process of the compliance suite: listens, accepts nothing, and hands its socket over.
import { systemClock } from '../../src/core/clock.ts'
import { createIoBackend, type IoChoice } from '../../src/proxy/io/create-io-backend.ts'

const { io } = createIoBackend(systemClock, process.argv[2] as IoChoice)
const socket = await io.listen({ host: '127.0.0.1', port: 0 }, () => {
  throw new Error('accepted by the wrong process')
})
process.send?.(socket.address.port)
const held = new Int32Array(new SharedArrayBuffer(4))
// Long enough for a connection to arrive that nobody here sees.
Atomics.wait(held, 0, 0, 300)
process.send?.('socket', socket.handle as never)
void socket.close()
