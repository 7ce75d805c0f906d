// Whether a response is compressed, and how (RFC 9110 sections 8.4 and 12.5.3). Its head is changed to fit; the bytes are somebody else's work.
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { CompressionSpec } from './compression.spec.ts'

export type Coding = CompressionSpec['codings'][number]

export interface Compressor {
  /** Undefined: the body goes as it is. Says in the head what was decided. `length`: of the body in bytes. */
  choose(request: RequestHead, response: ResponseHead, length: number | 'unknown'): Coding | undefined
}

export function compileCompression({ codings, contentTypes, minContentLengthBytes }: CompressionSpec): Compressor {
  const types = new Set(contentTypes)
  return {
    choose(request, response, length) {
      const { headers } = response
      if (length === 0 || (typeof length === 'number' && length < minContentLengthBytes)) return undefined
      if (!types.has(mediaType(headers)) || !isCompressible(response)) return undefined
      // what another caller gets of a cache depends on what that one takes
      varyByEncoding(headers)
      if (request.method === 'HEAD' || hasDirective(request.headers, 'no-transform')) return undefined
      const coding = chooseCoding(request.headers.get('accept-encoding'), codings)
      if (coding === undefined) return undefined
      headers.set('content-encoding', coding.coding)
      headers.delete('content-length')
      // of the body as it was
      headers.delete('accept-ranges')
      const etag = headers.get('etag')
      if (etag?.startsWith('"') === true) headers.set('etag', `W/${etag}`)
      return coding
    },
  }
}

/** Digests are of the very bytes. */
const digests = ['content-digest', 'repr-digest', 'digest', 'content-md5']

function isCompressible({ status, headers }: ResponseHead): boolean {
  if (status < 200 || status === 204 || status === 206 || status === 304) return false
  const encoding = headers.get('content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return false
  if (hasDirective(headers, 'no-transform') || headers.has('content-range')) return false
  return !digests.some((name) => headers.has(name))
}

function mediaType(headers: HeaderList): string {
  const value = headers.get('content-type') ?? ''
  const semicolon = value.indexOf(';')
  return (semicolon === -1 ? value : value.slice(0, semicolon)).trim().toLowerCase()
}

function hasDirective(headers: HeaderList, directive: string): boolean {
  const value = headers.get('cache-control')
  return value !== undefined && items(value).includes(directive)
}

function varyByEncoding(headers: HeaderList): void {
  const vary = headers.get('vary')
  if (vary === undefined) return headers.set('vary', 'Accept-Encoding')
  const names = items(vary)
  if (!names.includes('accept-encoding') && !names.includes('*')) headers.set('vary', `${vary}, Accept-Encoding`)
}

function items(list: string): string[] {
  return list.split(',').map((item) => item.trim().toLowerCase())
}

/**
 * The one that the caller likes best, of several the most wanted here; undefined: none, or the caller likes it better as it is. A caller who says
 * nothing gets no coding: it may not know any.
 */
export function chooseCoding(accepted: string | undefined, codings: CompressionSpec['codings']): Coding | undefined {
  if (accepted === undefined) return undefined
  const weights = parseAcceptEncoding(accepted)
  const any = weights.get('*') ?? 0
  let best: Coding | undefined
  let bestWeight = Math.max(0, weights.get('identity') ?? 0)
  for (const one of codings) {
    const weight = weights.get(one.coding) ?? any
    if (weight > bestWeight || (weight === bestWeight && weight > 0 && best === undefined)) {
      best = one
      bestWeight = weight
    }
  }
  return best
}

/** What cannot be read is as if it were not there. */
function parseAcceptEncoding(text: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const item of text.split(',')) {
    const [, name, quality] = acceptedItem.exec(item) ?? []
    if (name === undefined) continue
    const coding = name.toLowerCase()
    weights.set(coding === 'x-gzip' ? 'gzip' : coding, quality === undefined ? 1 : Number(quality))
  }
  return weights
}

const acceptedItem =
  /^[\t ]*([A-Za-z0-9!#$%&'*+\-.^_`|~]+)[\t ]*(?:;[\t ]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[\t ]*$/
