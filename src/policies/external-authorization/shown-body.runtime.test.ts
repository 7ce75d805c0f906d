// What is waited for of a body, what is shown of it, and when that refuses.
import { describe, expect, it } from 'vitest'

import { request } from '../../../test/kit/json-web-tokens.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { FilteredBody, FilterResult } from '../../contracts/http-filter.ts'
import { externalAuthorizationFilter } from './external-authorization.runtime.ts'
import type {
  AuthorizationCheck,
  ExternalAuthorizationSpec,
  RequestBodyInCheck,
} from './external-authorization.spec.ts'

const settings: RequestBodyInCheck = { maxRequestBytes: 4, allowPartialMessage: false, packAsBytes: false }
const inPart: RequestBodyInCheck = { ...settings, allowPartialMessage: true }

interface Outcome {
  readonly result: FilterResult
  /** Undefined: it was not asked. */
  readonly check: AuthorizationCheck | undefined
  /** How much was waited for. */
  readonly waitedFor: readonly number[]
}

async function ask(
  requestBody: RequestBodyInCheck | undefined,
  bytes: Uint8Array | undefined,
  options: { declared?: number; complete?: boolean; service?: ExternalAuthorizationSpec['service'] } = {},
): Promise<Outcome> {
  const { declared, complete = true, service = { kind: 'grpc', cluster: 'auth' } } = options
  const waitedFor: number[] = []
  let check: AuthorizationCheck | undefined
  const body: FilteredBody = {
    replace() {},
    declaredBytes: declared,
    gather: async (wanted) => {
      waitedFor.push(wanted)
      return { bytes: bytes as Uint8Array, complete }
    },
  }
  const filter = externalAuthorizationFilter(
    {
      service,
      timeoutMs: 1000,
      failOpen: true,
      statusOnError: 403,
      headersInCheck: ['*'],
      ...(requestBody === undefined ? {} : { requestBody }),
    },
    {
      clock: new ManualClock(),
      principal: undefined,
      ask: async (asked) => {
        check = asked
        return { kind: 'allowed', changes: [], remove: [] }
      },
    },
  )
  const one = request([['x-envoy-auth-partial-body', 'forged']])
  const result = await filter.apply(bytes === undefined ? one : { ...one, body })
  return { result, check, waitedFor }
}

const partial = (check: AuthorizationCheck | undefined): string | undefined =>
  check?.headers.get('x-envoy-auth-partial-body')

describe('a body is shown', () => {
  it('whole, up to the number of bytes', async () => {
    const { result, check, waitedFor } = await ask(settings, Buffer.from('four'))
    expect(result).toBeUndefined()
    expect(check?.body).toBe('four')
    expect(partial(check)).toBe('false')
    expect(waitedFor).toEqual([5])
  })

  it('in part, where it is longer and that is allowed', async () => {
    const { check, waitedFor } = await ask(inPart, Buffer.from('five!'))
    expect(check?.body).toBe('five')
    expect(partial(check)).toBe('true')
    expect(waitedFor).toEqual([4])
  })

  it('in part, where nobody knows whether there is more', async () => {
    const { check } = await ask(inPart, Buffer.from('four'), { complete: false })
    expect(check?.body).toBe('four')
    expect(partial(check)).toBe('true')
  })

  it('as the bytes it is, where they are asked for or the question is HTTP', async () => {
    const bytes = Uint8Array.of(0xff, 0)
    expect((await ask({ ...settings, packAsBytes: true }, bytes)).check?.body).toEqual(bytes)
    const service = { kind: 'http', cluster: 'auth', pathPrefix: '' } as const
    const byHttp = { ...service, headersToUpstreamOnAllow: [], headersToDownstreamOnDeny: [] }
    expect((await ask(settings, bytes, { service: byHttp })).check?.body).toEqual(bytes)
  })

  it('without half a character where it was cut, and with a mark in front that is part of it', async () => {
    expect((await ask(inPart, Buffer.from('abcë'))).check?.body).toBe('abc')
    expect((await ask(settings, Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).check?.body).toBe('\ufeffa')
  })
})

describe('nothing is waited for or said of a body', () => {
  it('where there is none', async () => {
    const { check } = await ask(settings, undefined)
    expect(check?.body).toBeUndefined()
    expect(partial(check)).toBeUndefined()
  })

  it('where the server is not to see it', async () => {
    const { check, waitedFor } = await ask(undefined, Buffer.from('a'))
    expect(check?.body).toBeUndefined()
    expect(partial(check)).toBeUndefined()
    expect(waitedFor).toEqual([])
  })
})

describe('a request is refused without asking, also where failures let pass', () => {
  it('when its body is longer', async () => {
    const { result, check } = await ask(settings, Buffer.from('five!'), { complete: false })
    expect(result).toMatchObject({ status: 413, flags: ['UAEX'] })
    expect(check).toBeUndefined()
  })

  it('when its head says so, before anything of it has come', async () => {
    const { result, waitedFor } = await ask(settings, new Uint8Array(), { declared: 5 })
    expect(result).toMatchObject({ status: 413, flags: ['UAEX'] })
    expect(waitedFor).toEqual([])
  })

  it.each([
    ['whole', settings, [0x61, 0xff]],
    ['whole and cut short', settings, [0x61, 0xc3]],
    ['in part', inPart, [0x61, 0xff, 0x61, 0x61, 0x61]],
  ])('when its body is no text where one is asked for: %s', async (_, requestBody, bytes) => {
    const { result, check } = await ask(requestBody, Uint8Array.from(bytes))
    expect(result).toMatchObject({ status: 400, flags: ['UAEX'] })
    expect(check).toBeUndefined()
  })
})
