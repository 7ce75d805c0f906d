// What a request is hashed by, for clusters that hash; cookies that it lacks go with its response.
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { Random } from '../../core/random.ts'
import type { HashedCaller, RequestHasher } from '../../policies/load-balancing/hash-policy.runtime.ts'
import type { ForwardPlan } from '../upstream/proxied-request.ts'

export type HashedPart = Pick<ForwardPlan, 'hash' | 'modifyResponse'>

export function hashedRequest(
  hasher: RequestHasher,
  request: RequestHead,
  caller: HashedCaller,
  random: Random,
  modifyResponse: (response: ResponseHead) => void,
): HashedPart {
  const { hash, setCookies } = hasher(request, caller, random)
  if (setCookies === undefined) return { hash, modifyResponse }
  return {
    hash,
    modifyResponse(response) {
      modifyResponse(response)
      for (const line of setCookies) response.headers.add('set-cookie', line)
    },
  }
}
