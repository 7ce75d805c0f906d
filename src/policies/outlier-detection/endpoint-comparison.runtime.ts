// Which endpoints stand out from the others over an interval: by success rate, by share of failures, by time.
import type { OutlierState } from './outlier-detection.runtime.ts'
import type { EjectionReason, OutlierComparison, OutlierDetectionSpec } from './outlier-detection.spec.ts'

export interface Outlier {
  readonly state: OutlierState
  readonly reason: EjectionReason
}

/** The worst first; each at most once. */
export function outliers(states: readonly OutlierState[], spec: OutlierDetectionSpec): Outlier[] {
  const { successRate, failurePercentage, latency } = spec
  const found = new Map<OutlierState, Outlier>()
  const put = (bad: readonly OutlierState[], reason: EjectionReason): void => {
    for (const state of bad) if (!found.has(state)) found.set(state, { state, reason })
  }
  if (failurePercentage !== undefined) {
    const compared = comparable(states, failurePercentage)
    const { threshold } = failurePercentage
    put(
      worstFirst(
        compared.filter((state) => failureShare(state) * 100 >= threshold),
        failureShare,
      ),
      'failure-percentage',
    )
  }
  if (successRate !== undefined) {
    const compared = comparable(states, successRate)
    const limit = failureLimit(compared.map(failureShare), successRate.stdevFactor / 1000)
    put(
      worstFirst(
        compared.filter((state) => failureShare(state) > limit),
        failureShare,
      ),
      'success-rate',
    )
  }
  if (latency !== undefined) {
    const compared = comparable(states, latency)
    const limitMs = median(compared.map(meanMs)) * latency.factor
    put(
      worstFirst(
        compared.filter((state) => meanMs(state) > limitMs),
        meanMs,
      ),
      'latency',
    )
  }
  return [...found.values()]
}

/** None when there are too few to say what is usual. */
function comparable(
  states: readonly OutlierState[],
  { minimumHosts, requestVolume }: OutlierComparison,
): OutlierState[] {
  const enough = states.filter(({ phase, requests }) => phase === 'in' && requests >= requestVolume && requests > 0)
  return enough.length < minimumHosts ? [] : enough
}

function failureShare({ failures, requests }: OutlierState): number {
  return failures / requests
}

function meanMs({ timeMs, requests }: OutlierState): number {
  return timeMs / requests
}

/** Mean and `factor` standard deviations above it. */
function failureLimit(shares: readonly number[], factor: number): number {
  const mean = sum(shares) / shares.length
  const variance = sum(shares.map((share) => (share - mean) ** 2)) / shares.length
  return mean + factor * Math.sqrt(variance)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** The lower of the two in the middle: of two endpoints the faster one is what is usual. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] ?? 0
}

function worstFirst(states: readonly OutlierState[], badness: (state: OutlierState) => number): OutlierState[] {
  return states.toSorted((a, b) => badness(b) - badness(a))
}
