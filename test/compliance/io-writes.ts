// What every I/O back end owes to those who write: order, content and bounds, whatever the reader does.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes, type Hash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'

import { createRandom } from '../../src/core/random.ts'
import { OutputBuffer } from '../../src/proxy/io/output-buffer.ts'
import { until } from '../kit/until.ts'
import { bytesOf, host, type IoPairs, Recorder } from './io-pairs.ts'

const hugeBytes = 100_000_000

/** Counts and hashes what comes, and keeps none of it. */
function hashOf(recorder: Recorder): { bytes: number; readonly hash: Hash } {
  const seen = { bytes: 0, hash: createHash('sha1') }
  recorder.onData = (bytes) => {
    seen.bytes += bytes.length
    seen.hash.update(bytes)
  }
  return seen
}

async function drained(recorder: Recorder): Promise<void> {
  const { drains } = recorder
  await until('the drain', () => recorder.drains > drains, 30_000)
}

export function describeWrites(pairs: IoPairs): void {
  for (const [kind, connectPair] of [
    ['plain', () => pairs.plain()],
    ['secured', () => pairs.secured()],
  ] as const) {
    describe(`${pairs.io.name}, writing to ${kind} connections`, () => {
      it('keeps many small writes of one turn in order', async () => {
        const { near, far } = await connectPair()
        const output = new OutputBuffer()
        let expected = ''
        near.call(() => {
          for (let index = 0; index < 5_000; index++) {
            const text = `${index},`
            expected += text
            if (index % 3 === 0) {
              near.connection.write(bytesOf(text))
            } else {
              output.text(text)
              near.connection.writeFrom(output)
              assert.equal(output.used, 0)
            }
          }
          near.connection.end()
        })
        await until('the end', () => far.events.includes('end'))
        assert.equal(far.text, expected)
      })

      it('never spoils what still waits to leave, however the output is used again', async () => {
        const { near, far } = await connectPair()
        const random = createRandom(kind.length)
        const received = hashOf(far)
        const sent = createHash('sha1')
        const output = new OutputBuffer()
        let sentBytes = 0
        while (sentBytes < 30_000_000) {
          const size = 1 + Math.floor(random.next() ** 4 * 300_000)
          const bytes = randomBytes(size)
          output.append(bytes)
          sent.update(bytes)
          sentBytes += size
          const goOn = near.call(() => near.connection.writeFrom(output))
          // Whatever memory comes next is scribbled over at once.
          output.bytes.fill(0xff)
          if (goOn) continue
          // A reader that stops while it is written to.
          far.call(() => far.connection.pause())
          setImmediate(() => far.call(() => far.connection.resume()))
          await drained(near)
        }
        await until('all of it', () => received.bytes === sentBytes, 30_000)
        assert.equal(received.hash.digest('hex'), sent.digest('hex'))
      })

      it('carries 100 MB while little of it waits anywhere', async () => {
        const { near, far } = await connectPair()
        const received = hashOf(far)
        const sent = createHash('sha1')
        const piece = randomBytes(1_000_000)
        const before = process.memoryUsage().rss
        let peak = 0
        for (let bytes = 0; bytes < hugeBytes; bytes += piece.length) {
          piece.writeUInt32BE(bytes)
          sent.update(piece)
          const goOn = near.call(() => near.connection.write(Buffer.from(piece)))
          if (!goOn) await drained(near)
          peak = Math.max(peak, process.memoryUsage().rss - before)
        }
        await until('all of it', () => received.bytes === hugeBytes, 30_000)
        assert.equal(received.hash.digest('hex'), sent.digest('hex'))
        assert.ok(peak < 80_000_000, `${peak} bytes more`)
      })

      it('says once that writing may go on, after it was told to wait', async () => {
        const { near, far } = await connectPair()
        assert.equal(
          near.call(() => near.connection.write(bytesOf('little'))),
          true,
        )
        far.call(() => far.connection.pause())
        let sent = 6
        while (near.call(() => near.connection.write(Buffer.alloc(50_000)))) sent += 50_000
        sent += 50_000
        assert.equal(near.drains, 0)
        far.call(() => far.connection.resume())
        await until('all of it', () => far.bytes === sent)
        await until('the drain', () => near.drains === 1)
      })

      it('ends after everything that was written, though the reader is slow', async () => {
        const { near, far } = await connectPair()
        far.call(() => far.connection.pause())
        const body = randomBytes(8_000_000)
        near.call(() => {
          near.connection.write(body)
          near.connection.write(bytesOf('.'))
          near.connection.end()
        })
        far.call(() => far.connection.resume())
        await until('the end', () => far.events.includes('end'))
        assert.equal(far.bytes, body.length + 1)
      })

      it('gives nothing to a paused reader, and everything in order afterwards', async () => {
        const { near, far } = await connectPair()
        let paused = false
        const sizes: number[] = []
        far.onData = (bytes) => {
          assert.equal(paused, false)
          sizes.push(bytes.length)
          far.chunks.push(Buffer.from(bytes))
          far.connection.pause()
          paused = true
          setImmediate(() => {
            paused = false
            far.call(() => far.connection.resume())
          })
        }
        const body = randomBytes(1_000_000)
        near.call(() => near.connection.write(body))
        near.call(() => near.connection.end())
        await until('the end', () => far.events.includes('end'))
        assert.ok(sizes.length > 10)
        assert.ok(Buffer.concat(far.chunks).equals(body))
      })
    })
  }

  describe(`${pairs.io.name}, what peers do`, () => {
    it('tells a reset from an end', async () => {
      const { port, accepted } = await pairs.accept()
      const client = connect(port, host)
      client.on('error', () => {})
      const far = new Recorder(await accepted)
      client.write('half a')
      await until('the bytes', () => far.text === 'half a')
      client.resetAndDestroy()
      await until('the close', () => far.events.includes('close'))
      assert.equal((far.error as NodeJS.ErrnoException).code, 'ECONNRESET')
      assert.equal(far.events.includes('end'), false)
    })

    it('closes with an error when it writes to who is gone', async () => {
      const { port, accepted } = await pairs.accept()
      const client = connect(port, host)
      client.on('error', () => {})
      const far = new Recorder(await accepted)
      client.destroy()
      await until('the end', () => far.events.includes('end'))
      await until('the close', () => {
        far.call(() => far.connection.write(bytesOf('anybody?')))
        return far.events.includes('close')
      })
      assert.ok(far.error)
    })

    it('gives up an address that does not answer', async () => {
      // A full backlog drops what asks for more.
      const silent = await fullListener()
      await assert.rejects(pairs.io.connect({ host, port: silent.port, timeoutMs: 100 }), /within 100 ms/)
      silent.close()
    })
  })
}

/** A process that listens and has stopped, its backlog full: the system drops what asks for more. */
async function fullListener(): Promise<{ port: number; close(): void }> {
  const script = `require('net').createServer().listen({ port: 0, host: '${host}', backlog: 1 }, function () { console.log(this.address().port) })`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(line.toString())
  child.kill('SIGSTOP')
  const fillers = Array.from({ length: 4 }, () => connect(port, host).on('error', () => {}))
  await until('a full backlog', () => fillers.filter(({ connecting }) => !connecting).length >= 2)
  return {
    port,
    close() {
      for (const filler of fillers) filler.destroy()
      child.kill('SIGKILL')
    },
  }
}
