// Changes of header lines whose values are made of the request: what Envoy's header_mutation filter does.
import type { HeaderModifierSpec } from '../header-modifier/header-modifier.spec.ts'

/** Values hold Envoy's command operators (contracts/header-value.ts). Lines are set, then added, then removed. */
export interface TransformationSpec {
  readonly request: HeaderModifierSpec
  readonly response: HeaderModifierSpec
}
