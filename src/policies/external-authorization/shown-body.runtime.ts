// What an authorization server is shown of a request's body, as Envoy's `with_request_body` has it.
import type { FilteredBody, FilterRefusal } from '../../contracts/http-filter.ts'
import type { ExternalAuthorizationSpec, RequestBodyInCheck } from './external-authorization.spec.ts'

/** Envoy's: says of a body whether it is all of it. */
export const partialBodyHeader = 'x-envoy-auth-partial-body'

export interface ShownBody {
  readonly body: Uint8Array | string
  readonly partial: boolean
}

/** Waits for it. Refusals come before `failOpen`: otherwise a caller could choose not to be asked about. Rejects when the caller goes away. */
export async function shownBody(
  body: FilteredBody,
  { maxRequestBytes, allowPartialMessage, packAsBytes }: RequestBodyInCheck,
  by: ExternalAuthorizationSpec['service']['kind'],
): Promise<ShownBody | { readonly refusal: FilterRefusal }> {
  const tooLarge = {
    refusal: refusal(413, `the body is longer than the ${maxRequestBytes} bytes that are decided about`),
  }
  if (!allowPartialMessage && (body.declaredBytes ?? 0) > maxRequestBytes) return tooLarge
  const { bytes, complete } = await body.gather(allowPartialMessage ? maxRequestBytes : maxRequestBytes + 1)
  if (!allowPartialMessage && bytes.length > maxRequestBytes) return tooLarge
  const partial = !complete || bytes.length > maxRequestBytes
  const shown = bytes.subarray(0, maxRequestBytes)
  if (packAsBytes || by === 'http') return { body: shown, partial }
  const text = textOf(shown, partial)
  if (text === undefined) return { refusal: refusal(400, 'the body is not the UTF-8 text that is decided about') }
  return { body: text, partial }
}

function refusal(status: number, detail: string): FilterRefusal {
  return { status, flags: ['UAEX'], detail }
}

/** Undefined: it is none, and nothing else may be decided about in its place. A cut may go through a character, which is left out. */
function textOf(bytes: Uint8Array, cut: boolean): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut })
  } catch {
    return undefined
  }
}
