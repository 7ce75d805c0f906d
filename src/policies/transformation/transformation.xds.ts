// Transformations ↔ envoy.extensions.filters.http.header_mutation.v3.HeaderMutation.
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'

import { parseHeaderValue } from '../../contracts/header-value.ts'
import { codecHeaders } from '../../contracts/http-message.ts'
import type {
  HeaderMutation as Mutation,
  HeaderMutationSchema as MutationSchema,
} from '../../contracts/xds/gen/envoy/config/common/mutation_rules/v3/mutation_rules_pb.ts'
import { HeaderValueOption_HeaderAppendAction as Append } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.ts'
import type { HeaderLineSpec, HeaderModifierSpec } from '../header-modifier/header-modifier.spec.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { TransformationSpec } from './transformation.spec.ts'

export function encodeTransformation({ request, response }: TransformationSpec): Any {
  return typedConfig(HeaderMutationSchema, {
    mutations: { requestMutations: encodeChanges(request), responseMutations: encodeChanges(response) },
  })
}

function encodeChanges({ set, add, remove }: HeaderModifierSpec): MessageInitShape<typeof MutationSchema>[] {
  return [
    ...set.map((line) => append(line, Append.OVERWRITE_IF_EXISTS_OR_ADD)),
    ...add.map((line) => append(line, Append.APPEND_IF_EXISTS_OR_ADD)),
    ...remove.map((name) => ({ action: { case: 'remove' as const, value: name } })),
  ]
}

function append({ name, value }: HeaderLineSpec, appendAction: Append): MessageInitShape<typeof MutationSchema> {
  return { action: { case: 'append', value: { header: { key: name, value }, appendAction } } }
}

export function isTransformation(any: Any | undefined): boolean {
  return isTypedConfig(any, HeaderMutationSchema) || isTypedConfig(any, HeaderMutationPerRouteSchema)
}

/** Throws an Error that says what cannot be served. */
export function decodeTransformation(any: Any, place: string): TransformationSpec {
  const { mutations } = isTypedConfig(any, HeaderMutationSchema)
    ? readTypedConfig(any, HeaderMutationSchema, place)
    : readTypedConfig(any, HeaderMutationPerRouteSchema, place)
  return {
    request: decodeChanges(mutations?.requestMutations ?? []),
    response: decodeChanges(mutations?.responseMutations ?? []),
  }
}

/** In another order than set, add, remove they could mean something else. */
function decodeChanges(mutations: readonly Mutation[]): HeaderModifierSpec {
  const set: HeaderLineSpec[] = []
  const add: HeaderLineSpec[] = []
  const remove: string[] = []
  for (const { action } of mutations) {
    const [added, removed] = [add.length > 0, remove.length > 0]
    if (action.case === 'remove') remove.push(changeable(action.value))
    else if (action.case === 'append') {
      const { header, appendAction } = action.value
      const line = { name: changeable(header?.key ?? ''), value: readable(header?.value ?? '') }
      if (appendAction === Append.APPEND_IF_EXISTS_OR_ADD) add.push(line)
      else if (appendAction === Append.OVERWRITE_IF_EXISTS_OR_ADD) set.push(line)
      else throw new Error(`header_mutation: header "${line.name}": append_action ${appendAction} is not supported`)
      if (removed || (added && appendAction !== Append.APPEND_IF_EXISTS_OR_ADD))
        throw new Error('header_mutation: only lines that are overwritten, then appended, then removed are supported')
    } else throw new Error(`header_mutation: expected append or remove, got ${action.case ?? 'none'}`)
  }
  return { set, add, remove }
}

function changeable(name: string): string {
  if (name === '' || name.startsWith(':') || codecHeaders.has(name.toLowerCase()))
    throw new Error(`header_mutation: header "${name}" cannot be changed`)
  return name
}

function readable(value: string): string {
  const parsed = parseHeaderValue(value)
  if ('message' in parsed) throw new Error(`header_mutation: ${parsed.message}`)
  return value
}
