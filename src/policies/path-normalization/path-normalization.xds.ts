// Path normalization ↔ the fields of an Envoy HttpConnectionManager.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type {
  HttpConnectionManager,
  HttpConnectionManagerSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { PathNormalizationSpec } from './path-normalization.spec.ts'

type PathFields = 'normalizePath' | 'mergeSlashes' | 'pathWithEscapedSlashesAction'

const escapedSlashes = {
  keep: EscapedSlashes.KEEP_UNCHANGED,
  reject: EscapedSlashes.REJECT_REQUEST,
  decode: EscapedSlashes.UNESCAPE_AND_FORWARD,
} as const

export function encodePathNormalization(
  spec: PathNormalizationSpec,
): Pick<MessageInitShape<typeof HttpConnectionManagerSchema>, PathFields> {
  return {
    normalizePath: spec.normalize,
    mergeSlashes: spec.mergeSlashes,
    pathWithEscapedSlashesAction: escapedSlashes[spec.escapedSlashes],
  }
}

/** Without the fields, as Envoy: paths are taken as they come. */
export function decodePathNormalization(manager: Pick<HttpConnectionManager, PathFields>): PathNormalizationSpec {
  return {
    normalize: manager.normalizePath ?? false,
    mergeSlashes: manager.mergeSlashes,
    escapedSlashes: decodeEscapedSlashes(manager.pathWithEscapedSlashesAction),
  }
}

function decodeEscapedSlashes(
  action: HttpConnectionManager['pathWithEscapedSlashesAction'],
): PathNormalizationSpec['escapedSlashes'] {
  if (action === EscapedSlashes.REJECT_REQUEST) return 'reject'
  // the redirect leads to the decoded path, which is where the request goes at once here
  const decodes = action === EscapedSlashes.UNESCAPE_AND_FORWARD || action === EscapedSlashes.UNESCAPE_AND_REDIRECT
  return decodes ? 'decode' : 'keep'
}
