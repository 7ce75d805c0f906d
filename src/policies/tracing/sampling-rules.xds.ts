// Sampling by rule, and whether callers have a say ↔ heddle.v1.SamplingRules, as the sampler of Envoy's OpenTelemetry tracer: none of Envoy's own goes by requests.
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
import type { SamplingRuleSpec, TracingSpec } from './tracing.spec.ts'

type Sampling = Pick<TracingSpec, 'samplingRules' | 'ignoresCallers'>

/** Undefined: the share of the connection manager says it all. */
export function encodeSampler({
  samplingRules = [],
  ignoresCallers,
}: Sampling): MessageInitShape<typeof TypedExtensionConfigSchema> | undefined {
  if (samplingRules.length === 0 && ignoresCallers === undefined) return undefined
  const rules = samplingRules.map(({ matches, samplingPercent }) => ({ matches, percent: samplingPercent }))
  const value = typedConfig(SamplingRulesSchema, { rules, ignoreParent: ignoresCallers === true })
  return { name: 'heddle.samplers.rules', typedConfig: value }
}

/** Other samplers are left aside. Throws an Error that says what cannot be decided. */
export function decodeSampler(sampler: TypedExtensionConfig | undefined): Sampling {
  const any = sampler?.typedConfig
  if (!isTypedConfig(any, SamplingRulesSchema)) return {}
  const { rules, ignoreParent } = readTypedConfig(any, SamplingRulesSchema, 'tracing: sampler')
  const samplingRules = rules.map(({ matches, percent }, index): SamplingRuleSpec => {
    const parsed = parseCel(matches)
    const fault = 'message' in parsed ? parsed : checkCel(parsed.expression, requestFields)
    if (fault !== undefined) throw new Error(`tracing: sampler: rule ${index}: ${fault.message}`)
    return { matches, samplingPercent: Math.min(100, Math.max(0, percent)) }
  })
  return { ...(samplingRules.length > 0 && { samplingRules }), ...(ignoreParent && { ignoresCallers: true }) }
}
