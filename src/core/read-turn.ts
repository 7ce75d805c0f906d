// Work put off until the bytes of one read have been looked at: what they have caused to be written leaves together, without a microtask each.

export interface AfterReadTask {
  afterRead(): void
}

const waiting: AfterReadTask[] = []
let reading = 0

/** To be called before the bytes of a read are looked at ... */
export function readBegins(): void {
  reading++
}

/** ... and after, whatever has happened. */
export function readEnds(): void {
  if (--reading > 0) return
  for (let at = 0; at < waiting.length; at++) (waiting[at] as AfterReadTask).afterRead()
  waiting.length = 0
}

/** False: no read is under way. */
export function afterRead(task: AfterReadTask): boolean {
  if (reading === 0) return false
  waiting.push(task)
  return true
}
