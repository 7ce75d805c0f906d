// Work put off to the end of the present turn of the event loop, when everything that has arrived in it has been looked at.

export interface TurnEndTask {
  atTurnEnd(): void
}

let waiting: TurnEndTask[] = []
let running: TurnEndTask[] = []
let scheduled = false

/** Runs `task` once more; whoever asks keeps count of having asked. */
export function atTurnEnd(task: TurnEndTask): void {
  waiting.push(task)
  if (scheduled) return
  scheduled = true
  setImmediate(runWaiting)
}

function runWaiting(): void {
  scheduled = false
  const tasks = waiting
  waiting = running
  running = tasks
  let at = 0
  try {
    while (at < tasks.length) (tasks[at++] as TurnEndTask).atTurnEnd()
  } finally {
    // One that throws takes none of the others with it.
    const left = tasks.slice(at)
    tasks.length = 0
    for (const task of left) atTurnEnd(task)
  }
}
