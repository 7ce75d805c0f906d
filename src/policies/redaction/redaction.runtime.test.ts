import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { Redactor } from './redaction.runtime.ts'

const json = 'application/json'
const form = 'application/x-www-form-urlencoded'
const redactor = new Redactor({ fields: ['iban'], headers: ['user-agent'] })
const shown = (text: string, type = json): string => redactor.body(text, type)

describe('redaction of a path', () => {
  it('is of the values of parameters whose names sound like credentials, or are configured', () => {
    expect(redactor.path('/a?token=s3cret&page=2&IBAN=DE1&pass%77ord=x&empty=&api-key')).toBe(
      '/a?token=***&page=2&IBAN=***&pass%77ord=***&empty=&api-key',
    )
    expect(redactor.path('/token/s3cret')).toBe('/token/s3cret')
  })
})

it('redaction of headers is of those that are configured', () => {
  expect([redactor.header('user-agent', 'curl'), redactor.header('host', 'a')]).toEqual(['***', 'a'])
})

describe('redaction of JSON', () => {
  it('is of fields by their names, whatever they hold, and nothing else', () => {
    const text = `{ "user" : "a", "password": "p\\"w", "n": 1, "auth_token":12.5, "iban" : ["DE1", {"x": "]"}], "credentials": {"a":"b"}, "z": [true, null] }`
    expect(JSON.parse(shown(text))).toEqual({
      user: 'a',
      password: '***',
      n: 1,
      auth_token: '***',
      iban: '***',
      credentials: '***',
      z: [true, null],
    })
    expect(shown('["password","x"]')).toBe('["password","x"]')
  })

  it('does not depend on the name of the type, nor on how a name is written', () => {
    for (const type of ['text/plain', '', 'application/grpc-web-text', json])
      expect(shown(String.raw`{"pass\u0077ord":"x","a":1}`, type)).toBe(String.raw`{"pass\u0077ord":"***","a":1}`)
  })

  it('holds in events, in one line after another, and in JSON within JSON', () => {
    expect(shown('data: {"token":"x"}\n\ndata: {"b":1}\n')).toBe('data: {"token":"***"}\n\ndata: {"b":1}\n')
    expect(shown('{"secret":1}\n{"secret":2}')).toBe('{"secret":"***"}\n{"secret":"***"}')
    const within = JSON.stringify({ payload: JSON.stringify({ deeper: JSON.stringify({ token: 's3cret', a: 1 }) }) })
    expect(shown(within)).not.toContain('s3cret')
    expect(JSON.parse((JSON.parse(shown(within)) as { payload: string }).payload)).toEqual({
      deeper: '{"token":"***","a":1}',
    })
  })

  it('holds wherever a text is cut, and takes no more than a moment on a hostile one', () => {
    const field = fc.constantFrom('password', 'iban', 'name', 'x-token')
    const value = fc.oneof(fc.constant('s3cret'), fc.constant({ a: ['s3cret'] }), fc.constant(['s3cret', '}"']))
    fc.assert(
      fc.property(fc.dictionary(field, value), fc.nat(), fc.boolean(), (document, cut, indented) => {
        const { name: _, ...secrets } = document
        const text = JSON.stringify({ first: 1, ...secrets }, null, indented ? 2 : 0)
        expect(shown(text.slice(0, cut % (text.length + 1)))).not.toMatch(/s3c|cret/)
        expect(JSON.parse(shown(text))).toEqual({
          first: 1,
          ...Object.fromEntries(Object.keys(secrets).map((key) => [key, '***'])),
        })
      }),
    )
    for (const hostile of ['"'.repeat(65_536), '\\"'.repeat(32_768), '{"token":'.repeat(7_000), '['.repeat(65_536)])
      expect(shown(hostile).length).toBeLessThanOrEqual(hostile.length + 5)
  })
})

describe('redaction of forms', () => {
  it('is of fields by their names, in both kinds', () => {
    expect(shown('user=a&password=x+y&iban=1', form)).toBe('user=a&password=***&iban=***')
    expect(shown('user=a&password=x', 'text/plain')).toBe('user=a&password=***')
    const parts = ['', '\r\ncontent-disposition: form-data; name="user"\r\n\r\na\r\n']
    parts.push('\r\ncontent-disposition: form-data; name="password"\r\n\r\ns3cret\r\n', '--\r\n')
    const text = parts.join('--xyz')
    expect(shown(text, 'multipart/form-data; boundary=xyz')).toBe(text.replace('s3cret', '***'))
    expect(shown(text.slice(0, -8), 'multipart/form-data; boundary="xyz"')).not.toContain('s3c')
  })
})
