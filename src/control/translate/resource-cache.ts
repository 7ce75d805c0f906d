// Each resource is encoded once, when first asked for, and again only when what it is made of has changed.
import { createHash } from 'node:crypto'

import { create, toBinary } from '@bufbuild/protobuf'
import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'

import type { EncodedResource } from './resource-view.ts'

interface Entry {
  readonly inputs: readonly unknown[]
  readonly resource: EncodedResource
}

export type ResourceEntries = ReadonlyMap<string, Entry>

export interface ResourceRecipe<Desc extends DescMessage> {
  /** Unique in the view: tells apart resources of one name that differ by node. */
  readonly key: string
  readonly name: string
  readonly schema: Desc
  /** All that `build` reads. Compared by identity with those of the previous revision. */
  readonly inputs: readonly unknown[]
  readonly build: () => MessageInitShape<Desc>
}

export class ResourceCache {
  readonly #previous: ResourceEntries
  readonly #entries = new Map<string, Entry>()

  /** `previous`: entries of the revision before. Those not asked for in this revision are forgotten with it. */
  constructor(previous: ResourceEntries = new Map()) {
    this.#previous = previous
  }

  get entries(): ResourceEntries {
    return this.#entries
  }

  get<Desc extends DescMessage>(recipe: ResourceRecipe<Desc>): EncodedResource {
    const known = this.#entries.get(recipe.key)
    if (known !== undefined) return known.resource
    const { inputs } = recipe
    const previous = this.#previous.get(recipe.key)
    const unchanged =
      previous?.inputs.length === inputs.length && inputs.every((input, index) => input === previous.inputs[index])
    const resource = unchanged && previous !== undefined ? previous.resource : encode(recipe, previous?.resource)
    this.#entries.set(recipe.key, { inputs, resource })
    return resource
  }
}

/** The same content keeps its object, whatever it was made of. */
function encode<Desc extends DescMessage>(
  { name, schema, build }: ResourceRecipe<Desc>,
  previous: EncodedResource | undefined,
): EncodedResource {
  const body = toBinary(schema, create(schema, build()))
  const version = createHash('sha256').update(body).digest('base64url').slice(0, 16)
  return previous?.version === version ? previous : { name, version, body }
}
