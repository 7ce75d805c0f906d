// Values that rules compare with. "*" stands at one end of a value, or alone.
import { z } from 'zod'

import { ruleIssue } from '../scalars.schema.ts'

export function valueList(value: z.ZodType<string>): z.ZodExactOptional<z.ZodArray<z.ZodType<string>>> {
  return z.array(value).min(1).exactOptional()
}

/** Such a text, or "*" before, behind or instead of it. */
function withWildcard(characters: string): RegExp {
  return new RegExp(`^(\\*|\\*?${characters}+|${characters}+\\*)$`)
}

export const textValue: z.ZodType<string> = z
  .string()
  .regex(withWildcard('[^*]'), 'a text with "*" at one end at most, or "*"')

export const hostValue: z.ZodType<string> = z
  .string()
  .regex(withWildcard('[^*/\\s]'), 'a host such as "shop.example", "shop.example:*" or "*.example"')

export const methodValue: z.ZodType<string> = z
  .string()
  .regex(withWildcard('[A-Z0-9_-]'), 'a method in capital letters such as "GET", with "*" at one end at most')

export const namespaceValue: z.ZodType<string> = z
  .string()
  .regex(withWildcard('[A-Za-z0-9._-]'), 'a namespace, with "*" at one end at most')

export const serviceAccountValue: z.ZodType<string> = z
  .string()
  .regex(/^([A-Za-z0-9._-]+\/)?[A-Za-z0-9._-]+$/, 'a service account such as "reviews" or "default/reviews"')

export const portValue: z.ZodType<string> = z
  .string()
  .regex(
    /^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$/,
    'a port from 1 to 65535 such as "8080"',
  )

const ipSchemas = [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]

export const ipBlockValue: z.ZodType<string> = z.string().check((ctx) => {
  const { value } = ctx
  if (ipSchemas.some((schema) => schema.safeParse(value).success)) return
  ctx.issues.push(
    ruleIssue(value, [], `"${value}" is not an IP address, nor a block such as "10.0.0.0/8" or "2001:db8::/32"`),
  )
})

export const pathValue: z.ZodType<string> = z.string().check((ctx) => {
  const fault = pathFault(ctx.value)
  if (fault !== undefined) ctx.issues.push(ruleIssue(ctx.value, [], fault))
})

const pathPattern = withWildcard('[^*]')

function pathFault(path: string): string | undefined {
  if (!/^[/*]/.test(path)) return `the path must start with "/" or "*", found "${path}"`
  if (/[?#]/.test(path)) return `a path has neither query nor fragment, found "${path}"`
  const spelling = spellingFault(path)
  if (spelling !== undefined) return spelling
  if (/[{}]/.test(path)) return templateFault(path)
  return pathPattern.test(path)
    ? undefined
    : `"*" may stand only at one end of a path, found "${path}": try {*} or {**}`
}

/** Requests are asked about in their one spelling: a rule in another would never match. */
function spellingFault(path: string): string | undefined {
  if (/[^\x21-\x7e]|\\/.test(path)) return `such characters come escaped ("%C3%A9"), found "${path}"`
  if (/%(?![0-9A-F]{2})/.test(path)) return `an escape is "%" and two capital hexadecimal digits, found "${path}"`
  for (const [escape, digits = ''] of path.matchAll(/%([0-9A-F]{2})/g)) {
    const character = String.fromCharCode(Number.parseInt(digits, 16))
    if (/[\w.~-]/.test(character)) return `"${escape}" comes as "${character}", found "${path}"`
  }
  if (/\/\.\.?(?:\/|$)/.test(path)) return `"." and ".." are resolved before rules are asked, found "${path}"`
  return undefined
}

function templateFault(path: string): string | undefined {
  const segments = path.split('/')
  const operators = segments.filter((segment) => /[{}*]/.test(segment))
  const wrong = operators.find((segment) => segment !== '{*}' && segment !== '{**}')
  if (wrong !== undefined)
    return `{*} and {**} must be whole segments of a path template, and no other "*" goes with them`
  if (operators.slice(0, -1).includes('{**}')) return 'nothing but text may follow {**} in a path template'
  return undefined
}
