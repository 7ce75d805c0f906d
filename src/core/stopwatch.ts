// How long something takes that happens within one turn: the Clock stands still while the bytes of one read are looked at.

/** Milliseconds with fractions; only differences mean anything. */
export type Stopwatch = () => number

export const systemStopwatch: Stopwatch = () => performance.now()
