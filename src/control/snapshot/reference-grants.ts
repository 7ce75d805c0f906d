// Whether a namespace agrees to be referred to from another one (ReferenceGrant).
import type { DocumentIndex } from './document-index.ts'

export interface GrantSubject {
  readonly group: string
  readonly kind: string
  readonly namespace: string
}

export interface GrantObject extends GrantSubject {
  readonly name: string
}

export function isGranted(index: DocumentIndex, subject: GrantSubject, object: GrantObject): boolean {
  return index
    .allIn('ReferenceGrant', object.namespace)
    .some(
      ({ spec }) =>
        spec.from.some(
          ({ group, kind, namespace }) =>
            group === subject.group && kind === subject.kind && namespace === subject.namespace,
        ) &&
        spec.to.some(
          ({ group, kind, name }) =>
            coreGroup(group) === coreGroup(object.group) &&
            kind === object.kind &&
            (name === undefined || name === object.name),
        ),
    )
}

function coreGroup(group: string): string {
  return group === 'core' ? '' : group
}
