// What a Gateway and each of its listeners is told (Gateway API, GatewayStatus).
import { gatewayGroup } from '../model/kinds.ts'
import { isServed } from './gateway-listeners.ts'
import type { ListenerDraft, ListenerFault } from './gateway-listeners.ts'
import { badCondition, goodCondition } from './status.ts'
import type { Condition, DocumentStatus, ListenerStatus } from './status.ts'

/** `fault`: of its address, without which nothing is served. */
export function gatewayStatus(
  address: string,
  fault: ListenerFault | undefined,
  listeners: readonly ListenerDraft[],
): DocumentStatus {
  if (fault !== undefined)
    return {
      conditions: [
        badCondition('Accepted', fault.reason, fault.message),
        badCondition('Programmed', 'Invalid', fault.message),
      ],
      listeners: listeners.map((draft) => listenerStatus(draft, fault.message)),
    }
  const accepted = listeners.filter((draft) => draft.fault === undefined)
  const anyServed = listeners.some(isServed)
  const allGood = listeners.every((draft) => isServed(draft) && draft.badReference === undefined)
  const condition: Condition = allGood
    ? goodCondition('Accepted', 'the Gateway is in force')
    : badCondition('Accepted', 'ListenersNotValid', 'some listeners cannot be served')
  return {
    conditions: [
      // one good listener is enough for the Gateway to be accepted
      accepted.length === 0 ? condition : { ...condition, status: 'True' },
      anyServed
        ? goodCondition('Programmed', 'the listeners are handed to the gateway')
        : badCondition('Programmed', 'Invalid', 'no listener can be served'),
    ],
    addresses: [{ type: 'IPAddress', value: address }],
    listeners: listeners.map((draft) => listenerStatus(draft, undefined)),
  }
}

function listenerStatus(draft: ListenerDraft, gatewayFault: string | undefined): ListenerStatus {
  const { listener, fault, badReference, conflicted, supportedKinds, attached } = draft
  const resolved =
    badReference === undefined
      ? goodCondition('ResolvedRefs', 'every reference leads somewhere')
      : badCondition('ResolvedRefs', badReference.reason, badReference.message)
  const unserved = gatewayFault ?? fault?.message ?? badReference?.message ?? ''
  return {
    name: listener.name,
    supportedKinds: supportedKinds.map((kind) => ({ group: gatewayGroup, kind })),
    attachedRoutes: attached.size,
    conditions: [
      fault === undefined
        ? goodCondition('Accepted', 'the listener is in force')
        : badCondition('Accepted', fault.reason, fault.message),
      gatewayFault === undefined && isServed(draft)
        ? goodCondition('Programmed', 'the listener is handed to the gateway')
        : badCondition('Programmed', 'Invalid', unserved),
      resolved,
      conflicted
        ? { type: 'Conflicted', status: 'True', reason: fault?.reason ?? '', message: fault?.message ?? '' }
        : {
            type: 'Conflicted',
            status: 'False',
            reason: 'NoConflicts',
            message: 'no other listener is in its way',
          },
    ],
  }
}
