import { describe, expect, it } from 'vitest'

import { compileRegexRewrite } from './regex-rewrite.runtime.ts'
import { parsePathTemplate, parseRewriteTemplate } from './uri-template.schema.ts'

/** What the path becomes; undefined: the template does not match it. */
function rewritten(template: string, rewrite: string, path: string): string | undefined {
  const parsed = parsePathTemplate(template)
  if ('message' in parsed) throw new Error(parsed.message)
  const substitution = parseRewriteTemplate(rewrite, parsed.variables)
  if (typeof substitution !== 'string') throw new Error(substitution.message)
  return compileRegexRewrite({ pattern: parsed.pattern, substitution })(path)
}

describe('path templates', () => {
  it.each([
    ['/v1/{user}/orders/{id=**}', '/orders/{id}?user={user}', '/v1/ann/orders/7/8', '/orders/7/8?user=ann'],
    ['/v1/{user}/orders/{id=**}', '/orders/{id}?user={user}', '/v1/ann/orders/', '/orders/?user=ann'],
    ['/v1/{user}/orders/{id=**}', '/orders/{id}', '/v1/ann/b/orders/7', undefined],
    ['/v1/{user}/orders/{id=**}', '/orders/{id}', '/v2/ann/orders/7', undefined],
    ['/v1/{user}/orders/{id=**}', '/orders/{id}', '/v1//orders/7', undefined],
    ['/*/b', '/c', '/a/b', '/c'],
    ['/*/b', '/c', '/a/x/b', undefined],
    ['/{all=a/*/c}/d', '/{all}', '/a/b/c/d', '/a/b/c'],
    ['/{path=**}.m3u8', '/hls/{path}', '/a/b.m3u8', '/hls/a/b'],
    ['/a.(b)+$c', '/x', '/a.(b)+$c', '/x'],
    ['/a.c', '/x', '/abc', undefined],
    ['/{a}/{b}', '/{b}/{a}/{b}', '/1/2', '/2/1/2'],
    ['/a', '/b', '/a/', undefined],
  ])('%s, rewritten as %s, makes of %s %s', (template, rewrite, path, expected) => {
    expect(rewritten(template, rewrite, path)).toBe(expected)
  })

  it('lets nobody make a parameter of what was an element', () => {
    expect(rewritten('/u/{user}', '/x/{user}?user={user}&role=user', '/u/a&role=admin;b=c+%26')).toBe(
      '/x/a&role=admin;b=c+%26?user=a%26role%3Dadmin%3Bb%3Dc%2B%26&role=user',
    )
  })

  it.each([
    ['v1/{user}', 0, 'starts with "/"'],
    ['/a/{user', 3, '"}" is missing'],
    ['/a/{user=x', 3, '"}" is missing'],
    ['/a/user}', 7, 'no variable is open'],
    ['/a/{1st}', 3, '"1st" is no name'],
    ['/a/{}', 3, '"" is no name'],
    ['/{a}/{a}', 5, 'occurs twice'],
    ['/{a=}', 3, 'what a stands for is missing'],
    ['/{a={b}}', 4, 'inside another'],
    ['/**/*', 4, 'nothing but text may follow "**"'],
    ['/{a=**}/{b}', 8, 'nothing but text may follow "**"'],
    ['/a b', 2, '" " cannot stand'],
    ['/a?b', 2, '"?" cannot stand'],
    ['/{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}', 28, '9 variables at the most'],
  ])('refuses %s and says where', (template, offset, message) => {
    expect(parsePathTemplate(template)).toEqual({ offset, message: expect.stringContaining(message) as string })
  })

  it.each([
    ['/x/{user', 3, '"}" is missing'],
    ['/x/{usr}', 3, 'no variable of pathTemplate is called "usr": known are user'],
    ['/x#y', 2, '"#" cannot stand here'],
    [String.raw`/x\1`, 2, String.raw`"\" cannot stand here`],
  ])('refuses the rewrite %s and says where', (template, offset, message) => {
    expect(parseRewriteTemplate(template, ['user'])).toEqual({ offset, message })
  })
})
