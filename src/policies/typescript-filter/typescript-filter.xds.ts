// A TypeScript filter ↔ heddle.v1.TypescriptFilter: Envoy has no field for code that comes with the configuration and runs in the proxy.
import type { JsonObject } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'

import { TypescriptFilter_OnError as OnError } from '../../contracts/xds/gen/heddle/v1/typescript_filter_pb.ts'
import { TypescriptFilterSchema } from '../../contracts/xds/gen/heddle/v1/typescript_filter_pb.ts'
import { decodeDuration, encodeDuration } from '../scalars.xds.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { TypescriptFilterSpec } from './typescript-filter.spec.ts'

export function encodeTypescriptFilter(spec: TypescriptFilterSpec): Any {
  const { name, source, code, sha256, config, timeBudgetMs, onError, maxBodyBytes } = spec
  return typedConfig(TypescriptFilterSchema, {
    name,
    source: { ...source },
    code,
    sha256,
    config: config as JsonObject,
    timeBudget: encodeDuration(timeBudgetMs),
    onError: onError === 'Refuse' ? OnError.REFUSE : OnError.CONTINUE,
    maxBodyBytes,
  })
}

/** Throws an Error that says what cannot be served. */
export function decodeTypescriptFilter(any: Any | undefined): TypescriptFilterSpec {
  const message = readTypedConfig(any, TypescriptFilterSchema, 'typescript filter')
  const { name, source, code, sha256, config = {}, timeBudget, onError, maxBodyBytes } = message
  if (timeBudget === undefined) throw new Error(`typescript filter "${name}": time_budget is missing`)
  const { document = name, file = '', line = 0, column = 0 } = source ?? {}
  return {
    name,
    source: { document, ...(file === '' ? {} : { file, line, column }) },
    code,
    sha256,
    config,
    timeBudgetMs: decodeDuration(timeBudget, `typescript filter "${name}": time_budget`),
    // what is not known is not taken for leave to go on
    onError: onError === OnError.CONTINUE ? 'Continue' : 'Refuse',
    maxBodyBytes,
  }
}
