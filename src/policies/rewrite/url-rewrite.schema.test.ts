import { describe, expect, it } from 'vitest'

import { templateRewriteSchema, toTemplateRewriteSpec } from './url-rewrite.schema.ts'

function faults(value: unknown): string[] {
  const issues = templateRewriteSchema.safeParse(value).error?.issues ?? []
  return issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('the form urlRewrite', () => {
  it('is a rewrite by regular expression', () => {
    const template = {
      pathTemplate: '/v1/{user}/{rest=**}',
      pathTemplateRewrite: '/{rest}',
      hostname: '{user}.example',
    }
    const pattern = '^/v1/([^/]+)/(.*)$'
    expect(toTemplateRewriteSpec(templateRewriteSchema.parse(template))).toEqual({
      hostPattern: { pattern, substitution: String.raw`\1.example` },
      path: { kind: 'regex', pattern, substitution: String.raw`/\2` },
    })
    const regexRewrite = { pattern: '/(a|b)', substitution: String.raw`/x\1` }
    expect(toTemplateRewriteSpec({ regexRewrite, hostname: 'a.example' })).toEqual({
      hostname: 'a.example',
      path: { kind: 'regex', ...regexRewrite },
    })
  })

  it.each([
    [{}, 'pathTemplate: one of "pathTemplate", "regexRewrite" and "hostname" must be given'],
    [{ pathTemplate: '/{a}' }, 'pathTemplateRewrite: "pathTemplateRewrite" is missing'],
    [{ pathTemplateRewrite: '/a' }, 'pathTemplate: "pathTemplate" is missing'],
    [{ pathTemplate: '/{a}', pathTemplateRewrite: 'a' }, 'pathTemplateRewrite: a path starts with "/"'],
    [{ pathTemplate: '/{a', pathTemplateRewrite: '/a' }, 'pathTemplate: "}" is missing'],
    [{ hostname: '{a}.example' }, 'hostname: no variable of pathTemplate is called "a": there are none'],
    [{ hostname: 'A.example' }, 'hostname: "A" cannot stand here'],
    [
      { pathTemplate: '/a', pathTemplateRewrite: '/b', regexRewrite: { pattern: 'a', substitution: 'b' } },
      'regexRewrite: regexRewrite and pathTemplate exclude each other',
    ],
    [{ regexRewrite: { pattern: '(a', substitution: '' } }, 'regexRewrite.pattern: "(a" is not a valid'],
    [{ regexRewrite: { pattern: '(?=a)', substitution: '' } }, 'regexRewrite.pattern: look-around'],
    [{ regexRewrite: { pattern: '(a)', substitution: String.raw`\2` } }, 'the pattern has no group 2: it has 1'],
    [{ regexRewrite: { pattern: 'a', substitution: String.raw`\x` } }, 'regexRewrite.substitution: visible ASCII'],
  ])('refuses %j', (value, message) => {
    expect(faults(value)).toEqual([expect.stringContaining(message)])
  })
})
