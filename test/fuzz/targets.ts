// All fuzz targets, in the order they run.
import type { FuzzTarget } from './fuzz-target.ts'
import { chunkedTarget, headTarget } from './targets/http1.ts'
import { pathTarget } from './targets/path.ts'

export const fuzzTargets: readonly FuzzTarget[] = [pathTarget, headTarget, chunkedTarget]
