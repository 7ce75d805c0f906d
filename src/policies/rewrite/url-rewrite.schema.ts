// The form urlRewrite of a Filter document, by template or regular expression, and its translation to the spec.
import { z } from 'zod'

import { regexFault, ruleIssue } from '../scalars.schema.ts'
import type { RewriteSpec } from './rewrite.spec.ts'
import { parsePathTemplate, parseRewriteTemplate } from './uri-template.schema.ts'
import type { TemplateFault } from './uri-template.schema.ts'

export interface TemplateRewrite {
  readonly pathTemplate?: string
  readonly pathTemplateRewrite?: string
  readonly regexRewrite?: { readonly pattern: string; readonly substitution: string }
  /** May hold variables of `pathTemplate`. */
  readonly hostname?: string
}

const hostLiteral = /[a-z0-9.-]/

const regexRewriteSchema = z
  .strictObject({
    pattern: z
      .string()
      .min(1)
      .max(1024)
      .check((ctx) => {
        const fault = regexFault(ctx.value)
        if (fault !== undefined) ctx.issues.push(ruleIssue(ctx.value, [], fault))
      }),
    substitution: z
      .string()
      .max(1024)
      .regex(
        /^(?:[!"$-[\]-~]|\\[0-9\\])*$/,
        'visible ASCII without "#", where "\\1" is what the first group matched and "\\\\" a backslash',
      ),
  })
  .check((ctx) => {
    const { pattern, substitution } = ctx.value
    if (regexFault(pattern) !== undefined) return
    const groups = (new RegExp(`${pattern}|`).exec('')?.length ?? 1) - 1
    for (const [, digit] of substitution.replaceAll('\\\\', '').matchAll(/\\([0-9])/g))
      if (Number(digit) > groups)
        ctx.issues.push(
          ruleIssue(substitution, ['substitution'], `the pattern has no group ${digit}: it has ${groups}`),
        )
  })

export const templateRewriteSchema: z.ZodType<TemplateRewrite> = z
  .strictObject({
    pathTemplate: z.string().max(1024).exactOptional(),
    pathTemplateRewrite: z.string().max(1024).exactOptional(),
    regexRewrite: regexRewriteSchema.exactOptional(),
    hostname: z.string().min(1).max(253).exactOptional(),
  })
  .check((ctx) => {
    const { pathTemplate, pathTemplateRewrite, regexRewrite, hostname } = ctx.value
    const wrong = (field: string, { message, offset }: TemplateFault): void => {
      const input = ctx.value[field as keyof TemplateRewrite]
      ctx.issues.push({ code: 'custom', input, path: [field], message, continue: true, params: { offset } })
    }
    const missing = (field: string, message: string): void =>
      void ctx.issues.push(ruleIssue(ctx.value, [field], message, 'HDL006'))
    if (regexRewrite !== undefined && (pathTemplate !== undefined || pathTemplateRewrite !== undefined))
      ctx.issues.push(ruleIssue(regexRewrite, ['regexRewrite'], 'regexRewrite and pathTemplate exclude each other'))
    if (pathTemplate === undefined && pathTemplateRewrite !== undefined)
      missing('pathTemplate', '"pathTemplate" is missing: pathTemplateRewrite is made of its variables')
    if (
      pathTemplate === undefined &&
      regexRewrite === undefined &&
      hostname === undefined &&
      pathTemplateRewrite === undefined
    )
      missing('pathTemplate', 'one of "pathTemplate", "regexRewrite" and "hostname" must be given')
    const parsed = pathTemplate === undefined ? { variables: [] } : parsePathTemplate(pathTemplate)
    if ('message' in parsed) {
      wrong('pathTemplate', parsed)
      return
    }
    if (pathTemplate !== undefined && pathTemplateRewrite === undefined && hostname?.includes('{') !== true)
      missing('pathTemplateRewrite', '"pathTemplateRewrite" is missing: nothing is made of pathTemplate')
    if (pathTemplate !== undefined && pathTemplateRewrite !== undefined) {
      const path = parseRewriteTemplate(pathTemplateRewrite, parsed.variables)
      if (typeof path !== 'string') wrong('pathTemplateRewrite', path)
      else if (!path.startsWith('/')) wrong('pathTemplateRewrite', { message: 'a path starts with "/"', offset: 0 })
    }
    const host = parseRewriteTemplate(hostname ?? '', parsed.variables, hostLiteral)
    if (typeof host !== 'string') wrong('hostname', host)
  })

export function toTemplateRewriteSpec(rewrite: TemplateRewrite): RewriteSpec {
  const { pathTemplate, pathTemplateRewrite, regexRewrite, hostname } = rewrite
  const template = pathTemplate === undefined ? undefined : parsePathTemplate(pathTemplate)
  const { pattern, variables } =
    template === undefined || 'message' in template ? { pattern: '', variables: [] } : template
  const substitution = (text: string, allowed?: RegExp): string =>
    parseRewriteTemplate(text, variables, allowed) as string
  const path =
    pathTemplateRewrite === undefined ? regexRewrite : { pattern, substitution: substitution(pathTemplateRewrite) }
  return {
    ...(hostname === undefined || hostname.includes('{') ? {} : { hostname }),
    ...(hostname?.includes('{') === true
      ? { hostPattern: { pattern, substitution: substitution(hostname, hostLiteral) } }
      : {}),
    ...(path === undefined ? {} : { path: { kind: 'regex', ...path } }),
  }
}
