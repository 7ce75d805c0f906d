// What a golden case of the xDS stage is: a mesh, and the node whose resources are written down.
import type { XdsNode } from '../../../src/control/translate/resource-view.ts'
import type { MeshBuilder } from '../../kit/mesh-builder.ts'

export interface GoldenCase {
  readonly mesh: MeshBuilder
  readonly node: XdsNode
}

export function node(kind: XdsNode['kind'], namespace: string, name: string): XdsNode {
  return { id: `${kind}~${namespace}~${name}`, kind, namespace, name, verified: true }
}
