// How a request beyond a rate limit is refused: 429 with the fields of draft-ietf-httpapi-ratelimit-headers-10, which others may get too.
import type { FilterRefusal } from '../../contracts/http-filter.ts'

/** gRPC: RESOURCE_EXHAUSTED. */
const resourceExhausted = 8

export interface LimitPolicy {
  readonly name: string
  /** Undefined: not known. */
  readonly quota: number | undefined
  readonly windowSeconds: number | undefined
}

/** `waitSeconds` until a request passes; undefined: not known. */
export function limitedRefusal(policy: LimitPolicy, waitSeconds: number | undefined): FilterRefusal {
  const name = plainName(policy.name)
  const wait = waitSeconds === undefined ? '' : `: try again in ${waitSeconds} s`
  return {
    status: 429,
    grpcStatus: resourceExhausted,
    flags: ['RL'],
    detail: `more requests than the rate limit "${name}" allows${wait}`,
    headers: [
      ...(policy.quota === undefined ? [] : ['ratelimit-policy', policyField(name, policy)]),
      'ratelimit',
      `"${name}";r=0${waitSeconds === undefined ? '' : `;t=${waitSeconds}`}`,
      ...(waitSeconds === undefined ? [] : ['retry-after', String(waitSeconds)]),
    ],
  }
}

/** For the response to a request within the limit: names and values in turn. `left`: so many more pass at once. */
export function limitHeaders(policy: LimitPolicy, left: number): readonly string[] {
  const name = plainName(policy.name)
  return ['ratelimit-policy', policyField(name, policy), 'ratelimit', `"${name}";r=${left}`]
}

function policyField(name: string, { quota, windowSeconds }: LimitPolicy): string {
  return `"${name}";q=${quota}${windowSeconds === undefined ? '' : `;w=${windowSeconds}`}`
}

/** For a caller, who need not know where the limit was written. A string of RFC 9651. */
function plainName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1).replaceAll(/[^!-~]|["\\]/g, '_')
}
