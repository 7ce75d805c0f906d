import { describe, expect, it } from 'vitest'

import { MemoryConnection } from '../../../test/kit/memory-connection.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { Connection, ConnectOptions, IoBackend } from './connection.ts'
import { type RevokedSvids, watchPeers } from './revoked-peers.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'

function start(): {
  readonly io: IoBackend
  readonly revoked: WatchableValue<RevokedSvids>
  readonly dialled: (spiffeId: string | undefined, notBeforeMs: number) => Promise<Connection>
} {
  const revoked = new WatchableValue<RevokedSvids>({ version: 0, notBeforeMs: {} })
  let next: Connection
  const backend = {
    name: 'fake',
    connect: () => Promise.resolve(next),
    secure: (connection: Connection) => Promise.resolve(connection),
  } as unknown as IoBackend
  const { io } = watchPeers(backend, revoked)
  return {
    io,
    revoked,
    dialled(peerSpiffeId, peerNotBeforeMs) {
      const [near] = MemoryConnection.pair()
      near.tls = { peerSpiffeId, peerNotBeforeMs, notAfterMs: Infinity, alpn: undefined, sni: undefined }
      next = near
      return io.connect({} as ConnectOptions)
    },
  }
}

describe('the watch over open connections', () => {
  it('ends those whose certificate is revoked, and no others', async () => {
    const { revoked, dialled } = start()
    const [old, fresh, other] = [await dialled(web, 1_000), await dialled(web, 2_000), await dialled(`${web}2`, 1_000)]
    const anonymous = await dialled(undefined, 0)
    revoked.set({ version: 1, notBeforeMs: { [web]: 1_000 } })
    expect([old, fresh, other, anonymous].map(({ closed }) => closed)).toEqual([true, false, false, false])
    revoked.set({ version: 2, notBeforeMs: { [web]: 2_000 } })
    expect([fresh, other].map(({ closed }) => closed)).toEqual([true, false])
  })

  it('lets none through that was revoked during its handshake', async () => {
    const { revoked, dialled, io } = start()
    revoked.set({ version: 1, notBeforeMs: { [web]: 1_000 } })
    await expect(dialled(web, 1_000)).rejects.toThrow('the certificate of spiffe://mesh.local/ns/default/sa/web was')
    const [near] = MemoryConnection.pair()
    near.tls = { peerSpiffeId: web, peerNotBeforeMs: 0, notAfterMs: 1, alpn: undefined, sni: undefined }
    await expect(io.secure(near, new Uint8Array(), {} as never, 1)).rejects.toThrow('was revoked')
    expect(near.closed).toBe(true)
  })

  it('forgets what has closed, however many come and go', async () => {
    const { revoked, dialled } = start()
    const kept = await dialled(web, 0)
    for (let i = 0; i < 1_000; i++) (await dialled(web, 0)).destroy()
    revoked.set({ version: 1, notBeforeMs: { [web]: 0 } })
    expect(kept.closed).toBe(true)
  })
})
