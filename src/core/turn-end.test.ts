import { expect, test } from 'vitest'

import { atTurnEnd } from './turn-end.ts'

test('tasks run in order once the present turn is over; one that asks again runs in the next', async () => {
  const ran: string[] = []
  let again = true
  const first = {
    atTurnEnd() {
      ran.push('first')
      if (again) atTurnEnd(first)
      again = false
    },
  }
  atTurnEnd(first)
  atTurnEnd({ atTurnEnd: () => ran.push('second') })
  await Promise.resolve()
  expect(ran).toEqual([])
  await new Promise((resolve) => setImmediate(resolve))
  expect(ran).toEqual(['first', 'second'])
  await new Promise((resolve) => setImmediate(resolve))
  expect(ran).toEqual(['first', 'second', 'first'])
})
