// What happens to instances and callers at the times that a scenario names.
import type { ScenarioEvent } from '../../control/model/scenario-kind.ts'
import { durationMs } from '../../policies/scalars.schema.ts'
import type { ApplicationInstance } from './application-instance.ts'
import type { SimulatedCallers } from './simulated-callers.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** Trouble that instances are in for a while. */
export interface Fault {
  readonly event: ScenarioEvent
  readonly startMs: number
  /** Infinity: it lasts. */
  readonly endMs: number
  readonly instances: readonly ApplicationInstance[]
}

export interface EventDeps {
  readonly clock: VirtualClock
  /** Those that serve now. */
  instancesOf(workload: string): readonly ApplicationInstance[]
  callersOf(workload: string): readonly SimulatedCallers[]
  /** Makes one to take the place of another; nobody is sent to it yet. */
  successorOf(instance: ApplicationInstance): ApplicationInstance
  /** From now on requests are sent to the one and not to the other. */
  replace(instance: ApplicationInstance, successor: ApplicationInstance): void
}

/** From a change of endpoints to the last proxy that has heard of it. */
const propagationMs = 100

/** The faults, in the order of the scenario. */
export function scheduleEvents(deps: EventDeps, events: readonly ScenarioEvent[]): readonly Fault[] {
  return events.flatMap((event): Fault[] => {
    const startMs = durationMs(event.at)
    const endMs = event.for === undefined ? Infinity : startMs + durationMs(event.for)
    const { clock } = deps
    if (event.action === 'Surge') {
      const surge = (factor: number): void => deps.callersOf(event.workload).forEach((one) => one.surge(factor))
      clock.setTimer(startMs, () => surge(event.factor))
      if (endMs !== Infinity) clock.setTimer(endMs, () => surge(1))
      return []
    }
    const instances = chosen(deps.instancesOf(event.workload), event)
    if (event.action === 'Deploy') {
      for (const [index, instance] of instances.entries())
        clock.setTimer(startMs + index * durationMs(event.every), () => deploy(deps, instance, event.graceful))
      return []
    }
    clock.setTimer(startMs, () => instances.forEach((one) => begin(one, event)))
    if (endMs !== Infinity) clock.setTimer(endMs, () => instances.forEach((one) => end(one, event)))
    return [{ event, startMs, endMs, instances }]
  })
}

function chosen(instances: readonly ApplicationInstance[], { zone, count }: ScenarioEvent): ApplicationInstance[] {
  return instances.filter(({ model }) => zone === undefined || model.zone === zone).slice(0, count)
}

function begin(instance: ApplicationInstance, { action, factor, status, percent }: ScenarioEvent): void {
  if (action === 'Kill') instance.kill()
  else if (action === 'Hang') instance.hung = true
  else if (action === 'Unreachable') instance.unreachable = true
  else if (action === 'Slow') instance.slowness = factor
  else {
    instance.failStatus = status
    instance.failPercent = percent
  }
}

function end(instance: ApplicationInstance, { action }: ScenarioEvent): void {
  if (action === 'Kill') instance.restart()
  else if (action === 'Hang') instance.hung = false
  else if (action === 'Unreachable') instance.unreachable = false
  else if (action === 'Slow') instance.slowness = 1
  else instance.failPercent = 0
}

function deploy(deps: EventDeps, instance: ApplicationInstance, graceful: boolean): void {
  const successor = deps.successorOf(instance)
  if (!graceful) instance.kill()
  deps.clock.setTimer(propagationMs, () => {
    deps.replace(instance, successor)
    if (graceful) instance.drain()
  })
}
