import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { Problem } from '../../contracts/problem.ts'
import { ProblemWatch } from './problem-watch.ts'

const failing = (message: string): Problem => ({
  code: 'HDL014',
  severity: 'error',
  document: 'Workload/default/a',
  message,
})

describe('ProblemWatch', () => {
  it('says a problem once however its words change, and that it is gone', async () => {
    const clock = new ManualClock()
    const said: string[] = []
    let problems: Problem[] = []
    let away = false
    const ask = (): Promise<Problem[]> => (away ? Promise.reject(new Error('away')) : Promise.resolve(problems))
    const watch = new ProblemWatch({ clock, ask, say: (text) => said.push(text) })
    const look = async (): Promise<void> => {
      clock.advance(1000)
      for (let turn = 0; turn < 5; turn++) await Promise.resolve()
    }
    watch.start([])
    problems = [failing('exited with status 3; next try in 1s')]
    await look()
    problems = [failing('exited with status 3; next try in 2s')]
    await look()
    expect(said).toEqual(['Workload/default/a: error HDL014: exited with status 3; next try in 1s'])
    expect(watch.texts).toEqual(['Workload/default/a: error HDL014: exited with status 3; next try in 2s'])
    away = true
    await look()
    away = false
    problems = []
    await look()
    expect(said[1]).toBe('resolved: HDL014 Workload/default/a')
    watch.stop()
    expect(clock.pendingCount).toBe(0)
  })
})
