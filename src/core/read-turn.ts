// Work put off until the bytes of one read have been looked at: what they have caused to be written leaves together, without a microtask each.

export interface AfterReadTask {
  afterRead(): void
}

const waiting: AfterReadTask[] = []
let reading = 0
/** What the clock said when it was first asked during the read; 0: it was not. */
let readAtMs = 0

/** To be called before the bytes of a read are looked at ... */
export function readBegins(): void {
  reading++
}

/** ... and after, whatever has happened. */
export function readEnds(): void {
  if (--reading > 0) return
  readAtMs = 0
  for (let at = 0; at < waiting.length; at++) (waiting[at] as AfterReadTask).afterRead()
  waiting.length = 0
}

/** What one read causes happens at one time: a request asks the clock several times. */
export function timeOfRead(now: () => number): number {
  if (reading === 0) return now()
  if (readAtMs === 0) readAtMs = now()
  return readAtMs
}

/** False: no read is under way. */
export function afterRead(task: AfterReadTask): boolean {
  if (reading === 0) return false
  waiting.push(task)
  return true
}
