// A ResourceView from plain data: texts as bodies, by type and name. Wildcards mean every resource of the type.
import { createHash } from 'node:crypto'

import type { TypeUrl } from '../../src/contracts/xds/names.ts'
import type { EncodedResource, ResourceView } from '../../src/control/translate/resource-view.ts'

export type MemoryResources = Partial<Record<TypeUrl, Readonly<Record<string, string | Uint8Array>>>>

export function memoryView(revision: number | string, resources: MemoryResources): ResourceView {
  const encoded = new Map<string, Map<string, EncodedResource>>()
  for (const [typeUrl, byName] of Object.entries(resources)) {
    const ofType = new Map(
      Object.entries(byName).map(([name, content]) => {
        const body = Buffer.from(content)
        return [name, { name, version: createHash('sha256').update(body).digest('hex').slice(0, 16), body }]
      }),
    )
    encoded.set(typeUrl, ofType)
  }
  return {
    revision: String(revision),
    wildcardNames: (typeUrl) => [...(encoded.get(typeUrl)?.keys() ?? [])],
    get: (typeUrl, name) => encoded.get(typeUrl)?.get(name),
  }
}
