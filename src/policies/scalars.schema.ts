// Scalars that many Gateway API fragments share. A pattern's message names what was expected, as a noun phrase.
import { z } from 'zod'

export const portSchema: z.ZodType<number> = z.int().min(1).max(65535)

const dnsLabel = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'

/** RFC 1123 label: a namespace. */
export const namespaceNameSchema: z.ZodType<string> = z
  .string()
  .max(63)
  .regex(new RegExp(`^${dnsLabel}$`), 'a name of lower-case letters, digits and "-"')

/** RFC 1123 subdomain: an object's name, a section's name, a host. */
export const objectNameSchema: z.ZodType<string> = z
  .string()
  .max(253)
  .regex(new RegExp(`^${dnsLabel}(\\.${dnsLabel})*$`), 'a name of lower-case letters, digits, "-" and "."')

export const groupNameSchema: z.ZodType<string> = z
  .string()
  .max(253)
  .regex(new RegExp(`^$|^${dnsLabel}(\\.${dnsLabel})*$`), 'an API group such as "gateway.networking.k8s.io", or ""')

export const kindNameSchema: z.ZodType<string> = z
  .string()
  .max(63)
  .regex(/^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/, 'a kind such as "Service"')

/** Gateway API PreciseHostname. */
export const preciseHostnameSchema: z.ZodType<string> = z
  .string()
  .max(253)
  .regex(new RegExp(`^${dnsLabel}(\\.${dnsLabel})*$`), 'a host name in lower case, without port')

/** Gateway API Hostname: may start with "*.". */
export const hostnameSchema: z.ZodType<string> = z
  .string()
  .max(253)
  .regex(new RegExp(`^(\\*\\.)?${dnsLabel}(\\.${dnsLabel})*$`), 'a host name in lower case, "*." in front for any')

export const headerNameSchema: z.ZodType<string> = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/, 'a header name')

export const headerValueSchema: z.ZodType<string> = z
  .string()
  .max(4096)
  .regex(/^[!-~]+([\t ]?[!-~]+)*$/, 'a header value of printable ASCII, without blanks at its ends')

/** Gateway API Duration (GEP-2257): "500ms", "1h30m". */
export const durationSchema: z.ZodType<string> = z
  .string()
  .regex(/^([0-9]{1,5}(h|m|s|ms)){1,4}$/, 'a duration such as "500ms", "10s" or "1h30m"')

const unitMs = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const

/** Milliseconds of a duration that durationSchema accepted. */
export function durationMs(text: string): number {
  let sumMs = 0
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g)) sumMs += Number(count) * unitMs[unit as 's']
  return sumMs
}

/** A regular expression that every data plane can run: it compiles, and has no look-around or back-reference (RE2 has neither). */
export function regexFault(pattern: string): string | undefined {
  if (/\(\?(<?[=!])|\\[1-9]|\\k</.test(pattern)) return 'look-around and back-references are not supported (RE2)'
  try {
    RegExp(pattern)
    return undefined
  } catch {
    return `"${pattern}" is not a valid regular expression`
  }
}

/** A check of a list whose items have a `name`: reports each name that occurs again. Names are compared as `key` gives them. */
export function uniqueNames(
  key: (name: string) => string = (name) => name,
): (ctx: z.core.ParsePayload<readonly { readonly name?: string }[]>) => void {
  return (ctx) => {
    const seen = new Set<string>()
    for (const [index, { name }] of ctx.value.entries()) {
      if (name === undefined) continue
      if (seen.has(key(name)))
        ctx.issues.push(ruleIssue(ctx.value, [index, 'name'], `the name "${name}" occurs twice`, 'HDL007'))
      seen.add(key(name))
    }
  }
}

/** Header names do not differ by case. */
export function foldCase(name: string): string {
  return name.toLowerCase()
}

/** A broken rule that spans fields. `message` is a whole sentence; `code` when it is not a wrong value (HDL005). */
export function ruleIssue(
  input: unknown,
  path: PropertyKey[],
  message: string,
  code?: string,
): z.core.$ZodRawIssue<z.core.$ZodIssueCustom> {
  return { code: 'custom', input, path, message, continue: true, ...(code === undefined ? {} : { params: { code } }) }
}
