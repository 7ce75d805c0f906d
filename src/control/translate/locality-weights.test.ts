import { describe, expect, it } from 'vitest'

import { weightsOfLocalities } from './locality-weights.ts'

const at = (zone: string, ...weights: number[]) =>
  weights.map((weight) => ({ weight, locality: { region: 'eu', zone, subZone: '' } }))

describe('weights of localities', () => {
  it('are those of the first entry that names their place, and nothing where none does', () => {
    const weights = [
      { region: 'eu', zone: 'a', weight: 80 },
      { region: 'eu', zone: 'b', weight: 0 },
      { region: 'us', weight: 20 },
    ]
    expect(weightsOfLocalities([at('a', 1), at('b', 1), at('c', 1), [{ weight: 1 }]], weights)).toEqual([
      80_000, 0, 0, 0,
    ])
  })

  it('divide the weight of a place by what is there', () => {
    const weights = [
      { region: 'eu', zone: 'a', weight: 10 },
      { region: 'eu', weight: 90 },
    ]
    expect(weightsOfLocalities([at('a', 5), at('b', 1, 1), at('c', 1)], weights)).toEqual([10_000, 60_000, 30_000])
  })
})
