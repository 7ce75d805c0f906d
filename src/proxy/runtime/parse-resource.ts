// Bytes of a resource → its message.
import { fromBinary } from '@bufbuild/protobuf'
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'

import { errorMessage } from '../../core/errors.ts'

/** Throws an Error that says what was expected. */
export function parseResource<Desc extends DescMessage>(schema: Desc, body: Uint8Array): MessageShape<Desc> {
  try {
    return fromBinary(schema, body)
  } catch (error) {
    throw new Error(`the bytes are no ${schema.typeName}: ${errorMessage(error)}`, { cause: error })
  }
}

/** Puts the place before the text of whatever is thrown in it. */
export function within<T>(place: string, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    throw new Error(`${place}: ${errorMessage(error)}`, { cause: error })
  }
}

/** Throws an Error that names the first of these fields that is set: ignoring it would change what the message means. */
export function refuseFields<Message extends object>(message: Message, fields: readonly (keyof Message)[]): void {
  for (const field of fields) {
    const value = message[field]
    const isDefault = Array.isArray(value) ? value.length === 0 : !value
    if (!isDefault) throw new Error(`${String(field)} is not supported`)
  }
}
