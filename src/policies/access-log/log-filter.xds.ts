// Which requests have a line ↔ the filter of an Envoy AccessLog: a sample, all that failed, and a condition in CEL.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { envoyAttributes, recordFields } from '../../contracts/record-fields.ts'
import { ComparisonFilter_Op as Comparison } from '../../contracts/xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import type {
  AccessLogFilter,
  AccessLogFilterSchema,
  ExtensionFilter,
} from '../../contracts/xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import { ExpressionFilterSchema } from '../../contracts/xds/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.ts'
import { FractionalPercent_DenominatorType as Denominator } from '../../contracts/xds/gen/envoy/type/v3/percent_pb.ts'
import type { FractionalPercent } from '../../contracts/xds/gen/envoy/type/v3/percent_pb.ts'
import { parseCel } from '../../core/cel/library.ts'
import { renameCelFields } from '../../core/cel/rename-fields.ts'
import { celPatterns, checkCel } from '../../core/cel/type-check.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { AccessLogSpec } from './access-log.spec.ts'

type FilterInit = MessageInitShape<typeof AccessLogFilterSchema>
type Filtered = Pick<AccessLogSpec, 'samplePercent' | 'matches'>

/** Parts of a million in a percent: finer than anyone samples. */
const millionthsInPercent = 10_000

/** Every response of a server that failed, and everything with a response flag. */
const failures: readonly FilterInit[] = [
  {
    filterSpecifier: {
      case: 'statusCodeFilter',
      value: {
        comparison: { op: Comparison.GE, value: { defaultValue: 500, runtimeKey: 'heddle.access_log.status' } },
      },
    },
  },
  { filterSpecifier: { case: 'responseFlagFilter', value: {} } },
]

/** Undefined: every request. */
export function encodeLogFilter({ samplePercent, matches }: Filtered): FilterInit | undefined {
  const filters = [
    ...(samplePercent >= 100 ? [] : [encodeSample(samplePercent)]),
    ...(matches === undefined ? [] : [encodeCondition(matches)]),
  ]
  return filters.length < 2 ? filters[0] : { filterSpecifier: { case: 'andFilter', value: { filters } } }
}

function encodeSample(samplePercent: number): FilterInit {
  const sample: FilterInit = {
    filterSpecifier: {
      case: 'runtimeFilter',
      value: {
        runtimeKey: 'heddle.access_log.sample',
        percentSampled: {
          numerator: Math.round(samplePercent * millionthsInPercent),
          denominator: Denominator.MILLION,
        },
        useIndependentRandomness: true,
      },
    },
  }
  return { filterSpecifier: { case: 'orFilter', value: { filters: [sample, ...failures] } } }
}

const recordNames = new Map([...envoyAttributes].map(([field, attribute]) => [attribute, field] as const))

function encodeCondition(condition: string): FilterInit {
  const value = typedConfig(ExpressionFilterSchema, { expression: renameCelFields(condition, envoyAttributes) })
  return {
    filterSpecifier: {
      case: 'extensionFilter',
      value: {
        name: 'envoy.access_loggers.extension_filters.cel',
        configType: { case: 'typedConfig', value },
      },
    },
  }
}

/** Throws an Error that names what cannot be kept to. */
export function decodeLogFilter(filter: AccessLogFilter | undefined): Filtered {
  if (filter === undefined) return { samplePercent: 100 }
  const { filterSpecifier } = filter
  if (filterSpecifier.case === 'extensionFilter')
    return { samplePercent: 100, matches: decodeCondition(filterSpecifier.value) }
  if (filterSpecifier.case !== 'andFilter') return { samplePercent: sampledPercent(filter) }
  const all = filterSpecifier.value.filters.map(decodeLogFilter)
  const samples = all.map(({ samplePercent }) => samplePercent).filter((percent) => percent < 100)
  if (samples.length > 1) throw new Error('access_log: an and_filter of several samples is not supported')
  const conditions = all.flatMap(({ matches }) => (matches === undefined ? [] : [matches]))
  const matches = conditions.length > 1 ? conditions.map((one) => `(${one})`).join(' && ') : conditions[0]
  return { samplePercent: samples[0] ?? 100, ...(matches === undefined ? {} : { matches }) }
}

function decodeCondition({ name, configType }: ExtensionFilter): string {
  const any = configType.case === 'typedConfig' ? configType.value : undefined
  const { expression } = readTypedConfig(any, ExpressionFilterSchema, `access_log: filter "${name}"`)
  const condition = renameCelFields(expression, recordNames)
  const parsed = parseCel(condition)
  if ('message' in parsed) throw new Error(`access_log: the condition: ${parsed.message}`)
  const fault = checkCel(parsed.expression, recordFields)
  if (fault !== undefined) throw new Error(`access_log: the condition: ${fault.message}`)
  for (const { pattern } of celPatterns(parsed.expression)) RegExp(pattern)
  return condition
}

function sampledPercent({ filterSpecifier: filter }: AccessLogFilter): number {
  if (filter.case === 'orFilter') return Math.max(0, ...filter.value.filters.map(sampledPercent))
  if (filter.case === 'runtimeFilter') return toPercent(filter.value.percentSampled)
  // failures have their line anyway
  if (filter.case === 'statusCodeFilter' || filter.case === 'responseFlagFilter') return 0
  throw new Error(`access_log: ${filter.case ?? 'an empty filter'} is not supported here`)
}

const denominators: Readonly<Record<number, number>> = {
  [Denominator.HUNDRED]: 100,
  [Denominator.TEN_THOUSAND]: 10_000,
  [Denominator.MILLION]: 1_000_000,
}

function toPercent(share: FractionalPercent | undefined): number {
  if (share === undefined) return 0
  return Math.min(100, (share.numerator * 100) / (denominators[share.denominator] ?? 100))
}
