// The access log ↔ a file logger of an Envoy HttpConnectionManager, with a filter that samples.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { parseLineFormat } from '../../contracts/access-log-format.ts'
import { ComparisonFilter_Op as Comparison } from '../../contracts/xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import type {
  AccessLog,
  AccessLogFilter,
  AccessLogFilterSchema,
  AccessLogSchema,
} from '../../contracts/xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import type { FileAccessLog } from '../../contracts/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import { FileAccessLogSchema } from '../../contracts/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import { FractionalPercent_DenominatorType as Denominator } from '../../contracts/xds/gen/envoy/type/v3/percent_pb.ts'
import type { FractionalPercent } from '../../contracts/xds/gen/envoy/type/v3/percent_pb.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { AccessLogSpec } from './access-log.spec.ts'

type FilterInit = MessageInitShape<typeof AccessLogFilterSchema>

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

export function encodeAccessLog({
  enabled,
  samplePercent,
  format,
}: AccessLogSpec): MessageInitShape<typeof AccessLogSchema>[] {
  if (!enabled) return []
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
  const filter: FilterInit = { filterSpecifier: { case: 'orFilter', value: { filters: [sample, ...failures] } } }
  return [
    {
      name: 'envoy.access_loggers.file',
      ...(samplePercent >= 100 ? {} : { filter }),
      configType: {
        case: 'typedConfig',
        value: typedConfig(FileAccessLogSchema, { path: '/dev/stdout', ...encodeFormat(format) }),
      },
    },
  ]
}

/** Every line ends: Envoy writes the text as it is. */
function encodeFormat(format: string | undefined): MessageInitShape<typeof FileAccessLogSchema> {
  if (format === undefined) return {}
  const text = { case: 'inlineString' as const, value: `${format}\n` }
  return {
    accessLogFormat: {
      case: 'logFormat',
      value: { format: { case: 'textFormatSource', value: { specifier: text } } },
    },
  }
}

/** Other loggers are for whoever asked for them. Throws an Error that names a filter that cannot be kept to. */
export function decodeAccessLog(loggers: readonly AccessLog[]): AccessLogSpec {
  const logger = loggers.find(
    ({ configType }) => configType.case === 'typedConfig' && isTypedConfig(configType.value, FileAccessLogSchema),
  )
  if (logger === undefined) return { enabled: false, samplePercent: 0 }
  const samplePercent = logger.filter === undefined ? 100 : sampledPercent(logger.filter)
  const any = logger.configType.case === 'typedConfig' ? logger.configType.value : undefined
  const format = decodeFormat(readTypedConfig(any, FileAccessLogSchema, 'access_log'))
  return { enabled: true, samplePercent, ...(format === undefined ? {} : { format }) }
}

/** Without one, and with another than text, lines are JSON here. */
function decodeFormat({ accessLogFormat: format }: FileAccessLog): string | undefined {
  if (format.case !== 'logFormat' || format.value.format.case !== 'textFormatSource') return undefined
  const { specifier } = format.value.format.value
  if (specifier.case !== 'inlineString') throw new Error('access_log: the format has to be an inline_string')
  const text = specifier.value.replace(/\n$/, '')
  const parsed = parseLineFormat(text)
  if (typeof parsed === 'string') throw new Error(`access_log: ${parsed}`)
  return text
}

function sampledPercent({ filterSpecifier: filter }: AccessLogFilter): number {
  if (filter.case === 'orFilter') return Math.max(0, ...filter.value.filters.map(sampledPercent))
  if (filter.case === 'runtimeFilter') return toPercent(filter.value.percentSampled)
  // failures have their line anyway
  if (filter.case === 'statusCodeFilter' || filter.case === 'responseFlagFilter') return 0
  throw new Error(`access_log: ${filter.case ?? 'an empty filter'} is not supported`)
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
