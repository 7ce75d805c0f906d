// Conditions of a rule: what may be asked by key, and which values each key takes.
import { z } from 'zod'

import { ruleIssue } from '../scalars.schema.ts'
import type { AuthorizationCondition } from './authorization.spec.ts'
import { ipBlockValue, namespaceValue, portValue, serviceAccountValue, textValue, valueList } from './values.schema.ts'

const valuesByKey: Readonly<Record<string, z.ZodType<string>>> = {
  'source.ip': ipBlockValue,
  'remote.ip': ipBlockValue,
  'source.namespace': namespaceValue,
  'source.principal': textValue,
  'source.serviceAccount': serviceAccountValue,
  'request.auth.principal': textValue,
  'request.auth.audiences': textValue,
  'request.auth.presenter': textValue,
  'destination.ip': ipBlockValue,
  'destination.port': portValue,
  'connection.sni': textValue,
}

const known = [...Object.keys(valuesByKey), 'request.headers[NAME]', 'request.auth.claims[NAME]'].join(', ')

function valueSchema(key: string): z.ZodType<string> | undefined {
  if (/^request\.headers\[[A-Za-z0-9!#$%&'*+\-.^_`|~]+\]$/.test(key)) return textValue
  if (/^request\.auth\.claims(\[[^[\]]+\])+$/.test(key)) return textValue
  return Object.hasOwn(valuesByKey, key) ? valuesByKey[key] : undefined
}

export const conditionSchema: z.ZodType<AuthorizationCondition> = z
  .strictObject({ key: z.string(), values: valueList(z.string()), notValues: valueList(z.string()) })
  .check((ctx) => {
    const { key, values, notValues } = ctx.value
    if (values === undefined && notValues === undefined)
      ctx.issues.push(ruleIssue(ctx.value, ['values'], 'one of "values" and "notValues" must be given', 'HDL006'))
    const schema = valueSchema(key)
    if (schema === undefined) {
      ctx.issues.push(ruleIssue(key, ['key'], `"${key}" is not a condition: expected one of ${known}`))
      return
    }
    for (const field of ['values', 'notValues'] as const) {
      for (const [index, value] of (ctx.value[field] ?? []).entries()) {
        const fault = schema.safeParse(value).error?.issues[0]
        if (fault === undefined) continue
        const message = fault.code === 'custom' ? fault.message : `"${value}" is not ${fault.message}`
        ctx.issues.push(ruleIssue(value, [field, index], message))
      }
    }
  })
