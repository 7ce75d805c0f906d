import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'

import { describe, expect, it } from 'vitest'

import { immediately } from '../../../test/kit/immediately.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleExchange } from '../../../test/kit/sample-exchange.ts'
import type { TappedRecord } from '../../contracts/telemetry/tap.ts'
import { HeaderList } from '../../core/header-list.ts'
import { defaultRedactor } from '../../policies/redaction/redaction.runtime.ts'
import { BodyCopies, CopiedBody } from './copied-bodies.ts'
import { createRecordSink } from './decision-records.ts'
import type { Exchange } from './exchange.ts'
import { Tap } from './tap.ts'
import { tappedBody } from './tapped-body.ts'

function copied(bytes: Uint8Array, type = '', coding = '', most = 1_024): CopiedBody {
  const copy = new CopiedBody(most)
  copy.describe(HeaderList.of(['content-type', type], ['content-encoding', coding]))
  // as it comes
  for (let at = 0; at < bytes.length; at += 7) copy.add(bytes.subarray(at, at + 7))
  return copy
}

const shown = (copy: CopiedBody, most = 1_024) => tappedBody(copy, most, defaultRedactor)

describe('a body that is tapped', () => {
  it('is text where it is one, without what sounds like a credential', () => {
    const text = '{"user":"Zoë","password":"s3cret"}'
    expect(shown(copied(Buffer.from(text), 'application/json'))).toEqual({
      bytes: 35,
      type: 'application/json',
      isCut: false,
      text: '{"user":"Zoë","password":"***"}',
    })
    expect(shown(copied(Buffer.alloc(0)))).toBeUndefined()
  })

  it('is cut where more was not asked for, within a character also', () => {
    expect(shown(copied(Buffer.from('Zoë and others'), 'text/plain', '', 3))).toEqual({
      bytes: 15,
      type: 'text/plain',
      isCut: true,
      text: 'Zo',
    })
    expect(shown(copied(Buffer.from('four'), 'text/plain'), 3)).toMatchObject({ isCut: true, text: 'fou' })
  })

  it('is base64 where it is no text, unless it says that it is one', () => {
    const bytes = Uint8Array.of(0xff, 0x00, 0x7b)
    expect(shown(copied(bytes, 'image/png'))).toMatchObject({ base64: '/wB7', isCut: false })
    expect(shown(copied(Uint8Array.of(0x00, 0x01)))).toMatchObject({ base64: 'AAE=' })
    const lying = Buffer.concat([Buffer.from('{"token":"s3cret"'), bytes])
    expect(JSON.stringify(shown(copied(lying, 'application/json')))).not.toContain('s3cret')
  })

  it('is shown without its content coding, or not at all', () => {
    const text = JSON.stringify({ list: Array.from({ length: 200 }, (_, n) => n), token: 's3cret' })
    const bytes = Buffer.from(text)
    for (const [coding, coded] of [
      ['gzip', gzipSync(bytes)],
      ['br', brotliCompressSync(bytes)],
      ['zstd', zstdCompressSync(bytes)],
    ] as const) {
      const body = shown(copied(coded, 'application/json', coding))
      expect(body, coding).toMatchObject({ bytes: coded.length, isCut: false })
      expect(JSON.parse(body?.text ?? ''), coding).toMatchObject({ token: '***' })
    }
    const cut = copied(gzipSync(bytes), 'application/json', 'gzip', 120)
    expect(shown(cut)).toMatchObject({ isCut: true, text: expect.stringMatching(/^\{"list":\[0,/) as unknown })
    const bomb = copied(gzipSync(Buffer.alloc(4 * 1024 * 1024)), '', 'gzip', 65_536)
    for (const copy of [bomb, copied(bytes, '', 'gzip'), copied(bytes, '', 'aes128gcm')]) {
      const body = shown(copy)
      expect(body?.omitted).toMatch(/content coding/)
      expect([body?.text, body?.base64]).toEqual([undefined, undefined])
    }
  })
})

describe('copies of bodies', () => {
  it('are made while somebody asks for them, as much as is asked for, of so many exchanges at once', () => {
    const copies = new BodyCopies()
    expect(copies.begin(sampleExchange())).toBeUndefined()
    copies.mostBytes = 10
    const exchanges = Array.from({ length: 257 }, () => sampleExchange())
    const begun = exchanges.map((exchange) => copies.begin(exchange))
    expect(begun.filter((one) => one !== undefined)).toHaveLength(256)
    copies.end(exchanges[0] as Exchange)
    expect(copies.begin(exchanges[256] as Exchange)).toBeDefined()
    const { request } = begun[1] ?? {}
    for (let at = 0; at < 5; at++) request?.add(Buffer.from('abcd'))
    expect([request?.beginning.toString(), request?.bytes]).toEqual(['abcdabcdab', 20])
    const connect = { ...sampleExchange().request, method: 'CONNECT' }
    copies.end(exchanges[1] as Exchange)
    expect(copies.begin(sampleExchange({ request: connect }))).toBeUndefined()
  })

  it('go to those who ask for bodies, and are told of once', () => {
    let told = 0
    const tap = new Tap({ bodiesAsked: () => told++ })
    const sink = createRecordSink(
      { workload: 'default/web', spiffeId: 'spiffe://mesh.local/x' },
      new ManualClock(),
      immediately,
      tap,
    )
    const [plain, few, many]: TappedRecord[][] = [[], [], []]
    const stops = [
      tap.subscribe({}, (record) => plain?.push(record)),
      tap.subscribe({}, (record) => few?.push(record), 2),
      tap.subscribe({}, (record) => many?.push(record), 8),
    ]
    expect([tap.bodies.mostBytes, told]).toEqual([8, 2])
    const exchange = sampleExchange()
    tap.bodies.begin(exchange)?.response.add(Buffer.from('hello'))
    sink.finished(exchange)
    tap.bodies.end(exchange)
    sink.finished(sampleExchange())
    expect(plain?.map(({ bodies }) => bodies)).toEqual([undefined, undefined])
    expect(few?.map(({ bodies }) => bodies?.response?.text)).toEqual(['he', undefined])
    expect(many?.map(({ bodies }) => bodies?.response?.text)).toEqual(['hello', undefined])
    for (const stop of stops) stop()
    expect(tap.bodies.mostBytes).toBe(0)
  })
})
