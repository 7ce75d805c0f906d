// Wishes that change while sidecars drain.
import { describe, expect, it } from 'vitest'

import type { SidecarBootstrap } from '../contracts/bootstrap.ts'
import { SidecarSet } from './sidecar-set.ts'

function bootstrap(name: string): SidecarBootstrap {
  const address = '127.0.0.1:1'
  const spiffeId = `spiffe://mesh.local/ns/a/sa/${name}`
  return {
    kind: 'sidecar',
    namespace: 'a',
    name,
    spiffeId,
    tokenFile: '',
    adminAddress: address,
    metricsAddress: address,
  }
}
const [a, b, c] = [bootstrap('a'), bootstrap('b'), bootstrap('c')] as const

function createTestSet(): {
  set: SidecarSet<{ ready: Promise<void> }>
  seen: string[]
  drained: (name: string) => Promise<void>
} {
  const seen: string[] = []
  const drains = new Map<string, () => void>()
  const set = new SidecarSet({
    start: ({ name }) => {
      seen.push(`start ${name}`)
      return { ready: new Promise(() => {}) }
    },
    update: (_, { name, spiffeId }) => {
      if (!spiffeId.endsWith(name)) seen.push(`update ${name}`)
    },
    stop: (_, key) =>
      new Promise((resolve) => {
        seen.push(`drain ${key.slice(-1)}`)
        drains.set(key.slice(-1), resolve)
      }),
    ready: () => {},
    stopped: (key) => seen.push(`stopped ${key.slice(-1)}`),
  })
  const drained = async (name: string): Promise<void> => {
    drains.get(name)?.()
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  }
  return { set, seen, drained }
}

describe('the sidecars of a process', () => {
  it('never come back on the word of an older wish', async () => {
    const { set, seen, drained } = createTestSet()
    set.follow([a, b, c])
    set.follow([b, c])
    set.follow([c])
    await drained('b')
    await drained('a')
    expect(seen).toEqual(['start a', 'start b', 'start c', 'drain a', 'drain b', 'stopped b', 'stopped a'])
  })

  it('hear of what has changed, unless they drain', () => {
    const { set, seen } = createTestSet()
    const other = { ...a, spiffeId: 'another' }
    set.follow([a, b])
    set.follow([other, b])
    set.follow([b])
    set.follow([other, b])
    expect(seen).toEqual(['start a', 'start b', 'update a', 'drain a'])
  })

  it('start while others drain', () => {
    const { set, seen } = createTestSet()
    set.follow([a])
    set.follow([b])
    expect(seen).toEqual(['start a', 'drain a', 'start b'])
  })

  it('start anew only once the one before has stopped', async () => {
    const { set, seen, drained } = createTestSet()
    set.follow([a])
    set.follow([])
    set.follow([a])
    expect(seen).toEqual(['start a', 'drain a'])
    await drained('a')
    expect(seen).toEqual(['start a', 'drain a', 'stopped a', 'start a'])
  })

  it('are all stopped in the end', async () => {
    const { set, seen, drained } = createTestSet()
    set.follow([a, b])
    set.follow([b])
    const stopped = set.stop()
    await drained('a')
    await drained('b')
    await stopped
    expect(seen.slice(2)).toEqual(['drain a', 'drain b', 'stopped a', 'stopped b'])
  })
})
