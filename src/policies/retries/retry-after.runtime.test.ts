// What responses say of how long to wait.
import { describe, expect, it } from 'vitest'

import { HeaderList } from '../../core/header-list.ts'
import { askedPauseMs } from './retry-after.runtime.ts'

const nowMs = Date.UTC(2026, 0, 1)

describe('the pause that a response asks for', () => {
  it.each<[Record<string, string>, number | undefined]>([
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'soon', ratelimit: '"a";r=0;t=5' }, undefined],
    [{ 'grpc-retry-pushback-ms': '250' }, 250],
    [{ 'grpc-retry-pushback-ms': '-1' }, undefined],
    [{ ratelimit: '"a";r=0;t=5' }, 5_000],
    [{ ratelimit: '"a";r=3;t=60, "b";r=0;t=5, "c"; r=0; t=9' }, 9_000],
    [{ ratelimit: '"a";r=05;t=60' }, undefined],
    [{ ratelimit: '"a";r=0' }, undefined],
    [{ ratelimit: 'limit=100, remaining=0, reset=50' }, undefined],
    [{}, undefined],
  ])('%o is %s ms', (headers, expected) => {
    expect(askedPauseMs(HeaderList.of(...Object.entries(headers)), nowMs)).toBe(expected)
  })
})
