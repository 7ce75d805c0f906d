// `tracing` of a Telemetry document: GEP-4768, and sampling by rule.
import { z } from 'zod'

import { requestFields } from '../../contracts/record-fields.ts'
import { isSecretName } from '../../contracts/secret-names.ts'
import { celConditionSchema } from '../cel-condition.schema.ts'
import { headerNameSchema, ruleIssue, uniqueNames } from '../scalars.schema.ts'
import type { TracingSettings } from './tracing.schema.ts'
import type { SpanAttributeSpec, TraceCollectorSpec, TracingSpec } from './tracing.spec.ts'

/** Absent fields are left to the wider scope. A list is one field. */
export interface TracingFields {
  readonly mode?: 'Enabled' | 'Disabled'
  readonly provider?: TracingSettings['provider']
  readonly samplingRate?: SamplingRate
  readonly parentBasedSampling?: { readonly mode: 'Enabled' | 'Disabled' }
  readonly rules?: readonly { readonly matches: string; readonly samplingRate: SamplingRate }[]
  readonly attributes?: readonly SpanAttribute[]
}

export interface SamplingRate {
  readonly numerator: number
  readonly denominator: number
}

export interface SpanAttribute {
  readonly name: string
  readonly sourceType: 'Header' | 'Literal'
  readonly headerName?: string
  readonly literalValue?: string
}

const samplingRateSchema: z.ZodType<SamplingRate> = z
  .strictObject({ numerator: z.int().min(0), denominator: z.int().min(1).default(100) })
  .check((ctx) => {
    const { numerator, denominator } = ctx.value
    if (numerator > denominator)
      ctx.issues.push(ruleIssue(ctx.value, ['numerator'], `${numerator} is more than the denominator ${denominator}`))
  })

const attributeSchema: z.ZodType<SpanAttribute> = z
  .strictObject({
    name: z
      .string()
      .max(256)
      .regex(/^[a-zA-Z0-9_.:/-]+$/, 'the name of an attribute, such as "tenant.id"'),
    sourceType: z.enum(['Header', 'Literal']),
    headerName: headerNameSchema.exactOptional(),
    literalValue: z.string().min(1).max(1024).exactOptional(),
  })
  .check((ctx) => {
    const { sourceType, headerName, literalValue } = ctx.value
    const said = { headerName, literalValue }
    const [needed, other] = sourceType === 'Header' ? headerFirst : literalFirst
    if (said[needed] === undefined) {
      const message = `"${needed}" is missing: sourceType is ${sourceType}`
      ctx.issues.push(ruleIssue(ctx.value, [needed], message, 'HDL006'))
    }
    if (said[other] !== undefined)
      ctx.issues.push(ruleIssue(ctx.value, [other], `"${other}" says nothing: sourceType is ${sourceType}`))
    if (headerName !== undefined && isSecretName(headerName))
      ctx.issues.push(ruleIssue(headerName, ['headerName'], `"${headerName}" carries credentials: no span has them`))
  })
const headerFirst = ['headerName', 'literalValue'] as const
const literalFirst = ['literalValue', 'headerName'] as const

export const tracingFieldsSchema: z.ZodType<TracingFields> = z.strictObject({
  mode: z.enum(['Enabled', 'Disabled']).exactOptional(),
  provider: z.strictObject({ name: z.string().min(1).max(253) }).exactOptional(),
  samplingRate: samplingRateSchema.exactOptional(),
  parentBasedSampling: z.strictObject({ mode: z.enum(['Enabled', 'Disabled']) }).exactOptional(),
  rules: z
    .array(z.strictObject({ matches: celConditionSchema(requestFields), samplingRate: samplingRateSchema }))
    .max(32)
    .exactOptional(),
  attributes: z.array(attributeSchema).max(32).check(uniqueNames()).exactOptional(),
})

/** One trace in a hundred, as the MeshConfig has it. */
const defaultSamplingRate: SamplingRate = { numerator: 1, denominator: 100 }

export function toTracingSpec(fields: TracingFields, collector: TraceCollectorSpec): TracingSpec {
  const { samplingRate = defaultSamplingRate, parentBasedSampling, rules = [], attributes = [] } = fields
  const samplingRules = rules.map((rule) => ({
    matches: rule.matches,
    samplingPercent: percentOf(rule.samplingRate),
  }))
  return {
    collector,
    randomSamplingPercent: percentOf(samplingRate),
    ...(samplingRules.length > 0 && { samplingRules }),
    ...(parentBasedSampling?.mode === 'Disabled' && { ignoresCallers: true }),
    ...(attributes.length > 0 && { attributes: attributes.map(toSpanAttribute) }),
  }
}

function percentOf({ numerator, denominator }: SamplingRate): number {
  return (numerator * 100) / denominator
}

function toSpanAttribute({ name, headerName, literalValue = '' }: SpanAttribute): SpanAttributeSpec {
  return headerName === undefined
    ? { name, kind: 'literal', value: literalValue }
    : { name, kind: 'header', header: headerName.toLowerCase() }
}
