import { expect, it } from 'vitest'

import type { HttpFilter } from '../../contracts/http-filter.ts'
import { HeaderList } from '../../core/header-list.ts'
import { guardTrailers } from './guarded-trailers.ts'

const filters: HttpFilter[] = [
  { name: 'a', apply: () => undefined },
  { name: 'b', apply: () => undefined, ownsHeader: (name) => name === 'x-user' || name === 'x_odd' },
]

function left(names: string[], ownedHeaders: string[] = []): string[] {
  const trailers = HeaderList.of(...names.map((name) => [name, '1'] as const))
  guardTrailers(trailers, filters, { ownedHeaders })
  return [...trailers].map(([name]) => name)
}

it('takes from trailers what a filter owns, in every spelling', () => {
  expect(left(['X-User', 'x_user', 'x-sum', 'X_Odd', 'x-odd'])).toEqual(['x-sum', 'x-odd'])
})

it('takes what a filter had the last word about for this request', () => {
  expect(left(['X-Group', 'x-sum', 'x-group'], ['x-group'])).toEqual(['x-sum'])
  expect(left(['x-group'])).toEqual(['x-group'])
})
