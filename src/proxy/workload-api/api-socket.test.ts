import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Server } from '@grpc/grpc-js'
import { beforeEach, describe, expect, it } from 'vitest'

import { bindApiSocket } from './api-socket.ts'

describe('the socket of a Workload API', () => {
  let folder: string
  let file: string
  let servers: Server[]

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'heddle-socket-'))
    file = join(folder, 'api', 'default.web.sock')
    servers = []
    return () => {
      for (const server of servers) server.forceShutdown()
      rmSync(folder, { recursive: true })
    }
  })

  function bind(): Promise<() => void> {
    const server = new Server()
    servers.push(server)
    return bindApiSocket(server, file)
  }

  it('is for its owner alone, in a folder that is too', async () => {
    await bind()
    chmodSync(join(folder, 'api'), 0o755)
    await bind()
    expect(statSync(join(folder, 'api')).mode & 0o777).toBe(0o700)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(file).isSocket()).toBe(true)
  })

  it('takes the place of what a killed process left', async () => {
    const remove = await bind()
    writeFileSync(join(folder, 'api', 'default.web.new'), '')
    await bind()
    remove()
    expect(readdirSync(join(folder, 'api'))).toEqual(['default.web.sock'])
  })

  it('stays a successor’s when the one before it ends', async () => {
    const removeFirst = await bind()
    const removeSecond = await bind()
    removeFirst()
    servers[0]?.forceShutdown()
    await new Promise((resolve) => setImmediate(resolve))
    expect(existsSync(file)).toBe(true)
    removeSecond()
    expect(existsSync(file)).toBe(false)
  })

  it('says why there is none', async () => {
    file = join(folder, 'x'.repeat(120), 'a.sock')
    await expect(bind()).rejects.toThrow()
  })
})
