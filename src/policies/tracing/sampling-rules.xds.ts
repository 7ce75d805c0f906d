// Sampling by rule ↔ heddle.v1.SamplingRules, as the sampler of Envoy's OpenTelemetry tracer: none of Envoy's own goes by requests.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { requestFields } from '../../contracts/record-fields.ts'
import type {
  TypedExtensionConfig,
  TypedExtensionConfigSchema,
} from '../../contracts/xds/gen/envoy/config/core/v3/extension_pb.ts'
import { SamplingRulesSchema } from '../../contracts/xds/gen/heddle/v1/sampling_rules_pb.ts'
import { parseCel } from '../../core/cel/library.ts'
import { checkCel } from '../../core/cel/type-check.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { SamplingRuleSpec } from './tracing.spec.ts'

export function encodeSamplingRules(
  rules: readonly SamplingRuleSpec[],
): MessageInitShape<typeof TypedExtensionConfigSchema> {
  const messages = rules.map(({ matches, samplingPercent }) => ({ matches, percent: samplingPercent }))
  return { name: 'heddle.samplers.rules', typedConfig: typedConfig(SamplingRulesSchema, { rules: messages }) }
}

/** Undefined: there are none; other samplers are left aside. Throws an Error that says what cannot be decided. */
export function decodeSamplingRules(sampler: TypedExtensionConfig | undefined): SamplingRuleSpec[] | undefined {
  const any = sampler?.typedConfig
  if (!isTypedConfig(any, SamplingRulesSchema)) return undefined
  const { rules } = readTypedConfig(any, SamplingRulesSchema, 'tracing: sampler')
  return rules.map(({ matches, percent }, index) => {
    const parsed = parseCel(matches)
    const fault = 'message' in parsed ? parsed : checkCel(parsed.expression, requestFields)
    if (fault !== undefined) throw new Error(`tracing: sampler: rule ${index}: ${fault.message}`)
    return { matches, samplingPercent: Math.min(100, Math.max(0, percent)) }
  })
}
