import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { PortWatch, firstClosedPort, type WatchedPort } from './port-watch.ts'

const ports = [8080, 9090].map((port) => ({ host: '127.0.0.1', port }))

class Ports {
  readonly open = new Set<number>()
  looks = 0
  readonly probe = ({ port }: WatchedPort): Promise<boolean> => {
    this.looks++
    return Promise.resolve(this.open.has(port))
  }
}

async function advance(clock: ManualClock, byMs: number): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  clock.advance(byMs)
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

describe('PortWatch', () => {
  it('says closed until every port accepts, then open, and notices when one closes again', async () => {
    const clock = new ManualClock()
    const world = new Ports()
    const said: boolean[] = []
    const watch = new PortWatch(clock, ports, world.probe, (open) => said.push(open))
    await advance(clock, 0)
    world.open.add(8080)
    await advance(clock, 200)
    expect(said).toEqual([false])
    world.open.add(9090)
    await advance(clock, 200)
    expect(said).toEqual([false, true])
    world.open.delete(8080)
    await advance(clock, 2000)
    expect(said).toEqual([false, true, false])
    watch.stop()
    expect(clock.pendingCount).toBe(0)
  })

  it('looks less and less often at what stays closed', async () => {
    const clock = new ManualClock()
    const world = new Ports()
    const watch = new PortWatch(clock, ports, world.probe, () => {})
    for (let second = 0; second < 60; second++) await advance(clock, 1000)
    const before = world.looks
    for (let second = 0; second < 10; second++) await advance(clock, 1000)
    expect(world.looks - before).toBeLessThanOrEqual(10 * ports.length)
    watch.stop()
  })

  it('takes a workload without ports for open', async () => {
    expect(await firstClosedPort([], () => Promise.resolve(false))).toBeUndefined()
  })
})
