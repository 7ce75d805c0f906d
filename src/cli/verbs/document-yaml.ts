// A document as YAML in which every value that nobody wrote says where it comes from.
import { Document, isMap, isNode, type Node } from 'yaml'

import type { DocumentView } from '../../contracts/control-api.ts'
import { printableYaml } from '../printable-text.ts'

export function documentToYaml({ document, defaults }: DocumentView): string {
  const yaml = new Document(document, { aliasDuplicateObjects: false })
  for (const [path, origin] of Object.entries(defaults)) commentOn(yaml, parsePath(path), `default: ${origin}`)
  return printableYaml((options) => yaml.toString({ lineWidth: 0, ...options }))
}

/** "spec.rules[0].retry" → ["spec", "rules", 0, "retry"]. */
function parsePath(path: string): (string | number)[] {
  return [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) =>
    index === undefined ? (key as string) : Number(index),
  )
}

function commentOn(yaml: Document, path: readonly (string | number)[], text: string): void {
  const value = yaml.getIn(path, true)
  if (!isNode(value)) return
  const parent = yaml.getIn(path.slice(0, -1), true)
  const isBlock = 'items' in value && (value.items as unknown[]).length > 0
  if (!isBlock || !isMap(parent)) {
    value.comment = ` ${text}`
    return
  }
  // behind a block there is no room on the line: the comment goes above its key
  const pair = parent.items.find(({ key }) => (key as { value?: unknown }).value === path.at(-1))
  if (pair !== undefined) (pair.key as Node).commentBefore = ` ${text}`
}
