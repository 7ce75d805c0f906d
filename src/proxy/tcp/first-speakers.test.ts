import { expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { FirstSpeakers } from './first-speakers.ts'

it('remembers the last that was learned, for ten minutes', () => {
  const clock = new ManualClock()
  const speakers = new FirstSpeakers(clock)
  expect(speakers.of('a')).toBeUndefined()
  speakers.learn('a', 'client')
  speakers.learn('a', 'server')
  clock.advance(599_999)
  expect(speakers.of('a')).toBe('server')
  clock.advance(1)
  expect(speakers.of('a')).toBeUndefined()
})

it('forgets the oldest when there are too many', () => {
  const speakers = new FirstSpeakers(new ManualClock())
  for (let i = 0; i < 1_024; i++) speakers.learn(`${i}`, 'server')
  speakers.learn('0', 'server')
  speakers.learn('one more', 'server')
  expect([speakers.of('0'), speakers.of('1'), speakers.of('2')]).toEqual(['server', undefined, 'server'])
})
