// For tests of what is done later in batches: it is done at once.
import type { BatchedWork } from '../../src/core/batched-work.ts'

export const immediately: Pick<BatchedWork, 'add'> = { add: (work) => work() }
