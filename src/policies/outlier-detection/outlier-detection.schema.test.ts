import { describe, expect, it } from 'vitest'

import { defaultOutlierDetection, outlierDetectionSchema, toOutlierDetectionSpec } from './outlier-detection.schema.ts'

function messages(settings: unknown): string[] {
  return outlierDetectionSchema.safeParse(settings).error?.issues.map(({ message }) => message) ?? []
}

describe('outlier detection as written', () => {
  it('is, with nothing in it, what holds without a policy', () => {
    expect(toOutlierDetectionSpec(outlierDetectionSchema.parse({}))).toEqual(defaultOutlierDetection)
  })

  it('counts failures of the connection apart only when asked to', () => {
    const split = outlierDetectionSchema.parse({ splitExternalLocalOriginErrors: true })
    expect(toOutlierDetectionSpec(split)).toMatchObject({ splitLocalOrigin: true, consecutiveLocalOriginFailures: 5 })
  })

  it.each([
    [{ baseEjectionTime: '10m' }, '10m is longer than the longest ejection, 5m'],
    [{ interval: '0s' }, '"interval" must be more than nothing'],
    [{ interval: '2h' }, '2h is longer than an hour: nothing would ever be compared'],
    [{ consecutive5xxErrors: 3 }, 'never met: 3 errors of any kind eject before 5 of 502, 503 and 504 do'],
  ])('refuses %o', (settings, message) => {
    expect(messages(settings)).toEqual([message])
  })
})
