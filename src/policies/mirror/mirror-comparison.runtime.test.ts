import { describe, expect, it } from 'vitest'

import { MirrorComparison, type ComparedAnswers, type ObservedAnswer } from './mirror-comparison.runtime.ts'

function answer(status: number, grpcStatus?: number): ObservedAnswer {
  return { status, grpcStatus, tookMs: 5 }
}

describe('a mirror beside its primary', () => {
  it.each([
    ['same', answer(200), answer(200)],
    ['same', answer(404), answer(404)],
    ['different', answer(200), answer(500)],
    ['same', answer(200, 0), answer(200, 0)],
    ['different', answer(200, 0), answer(200, 14)],
    ['same', answer(200), answer(200, 14)],
    ['mirror_failed', answer(200), undefined],
    ['primary_failed', undefined, answer(200)],
    ['primary_failed', undefined, undefined],
  ])('is %s', (result, primary, mirror) => {
    for (const mirrorFirst of [true, false]) {
      const told: ComparedAnswers[] = []
      const comparison = new MirrorComparison((answers) => told.push(answers))
      if (mirrorFirst) comparison.mirrorOver(mirror)
      else comparison.primaryOver(primary)
      expect(told).toEqual([])
      if (mirrorFirst) comparison.primaryOver(primary)
      else comparison.mirrorOver(mirror)
      expect(told).toEqual([{ result, primary, mirror }])
    }
  })
})
