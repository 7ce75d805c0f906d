// Header changes ↔ Envoy's HeaderValueOption lists, as routes, virtual hosts and weighted clusters carry them.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { HeaderValueOption_HeaderAppendAction as Append } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type {
  HeaderValueOption,
  HeaderValueOptionSchema,
} from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type { HeaderLineSpec, HeaderModifierSpec } from './header-modifier.spec.ts'

export interface HeaderMutationsInit {
  readonly add: MessageInitShape<typeof HeaderValueOptionSchema>[]
  readonly remove: string[]
}

export function encodeHeaderModifier(spec: HeaderModifierSpec | undefined): HeaderMutationsInit {
  if (spec === undefined) return { add: [], remove: [] }
  return {
    add: [
      ...spec.set.map((line) => encodeLine(line, Append.OVERWRITE_IF_EXISTS_OR_ADD)),
      ...spec.add.map((line) => encodeLine(line, Append.APPEND_IF_EXISTS_OR_ADD)),
    ],
    remove: [...spec.remove],
  }
}

/** "%" starts a command operator in Envoy; an empty value would remove the line. */
function encodeLine({ name, value }: HeaderLineSpec, appendAction: Append): HeaderMutationsInit['add'][number] {
  return {
    header: { key: name, value: value.replaceAll('%', '%%') },
    appendAction,
    keepEmptyValue: value === '',
  }
}

/** Undefined when nothing changes. Throws an Error that names the header that cannot be served. */
export function decodeHeaderModifier(
  add: readonly HeaderValueOption[],
  remove: readonly string[],
): HeaderModifierSpec | undefined {
  if (add.length === 0 && remove.length === 0) return undefined
  const set: HeaderLineSpec[] = []
  const appended: HeaderLineSpec[] = []
  for (const option of add) {
    const line = decodeLine(option)
    // `append` is the deprecated field: true unless it says otherwise
    if (option.append !== undefined) (option.append ? appended : set).push(line)
    else if (option.appendAction === Append.APPEND_IF_EXISTS_OR_ADD) appended.push(line)
    else if (option.appendAction === Append.OVERWRITE_IF_EXISTS_OR_ADD) set.push(line)
    else throw new Error(`header "${line.name}": append_action ${option.appendAction} is not supported`)
  }
  return { set, add: appended, remove: [...remove] }
}

function decodeLine({ header }: HeaderValueOption): HeaderLineSpec {
  if (header === undefined || header.key === '') throw new Error('a header to add has no name')
  if (header.value.replaceAll('%%', '').includes('%')) {
    throw new Error(`header "${header.key}": command operators are not supported`)
  }
  return { name: header.key, value: header.value.replaceAll('%%', '%') }
}
