// The codec's own answers to what is no acceptable request.
import { HeaderList } from '../../../core/header-list.ts'
import { serializeResponseHead } from './serializer.ts'

/** A whole response that ends the connection. */
export function refusalText(status: number, message: string): string {
  const body = `heddle: ${message}\n`
  const headers = HeaderList.of(['server', 'heddle'], ['content-type', 'text/plain'])
  const head = { status, headers }
  return serializeResponseHead(head, { length: body.length, connection: 'close', upgrade: undefined }) + body
}
