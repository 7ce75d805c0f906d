// Mirrors ↔ envoy.config.route.v3.RouteAction.RequestMirrorPolicy.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  RouteAction_RequestMirrorPolicy,
  RouteAction_RequestMirrorPolicySchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { FractionalPercent_DenominatorType as Denominator } from '../../contracts/xds/gen/envoy/type/v3/percent_pb.ts'
import type { FractionalPercent, FractionalPercentSchema } from '../../contracts/xds/gen/envoy/type/v3/percent_pb.ts'
import type { MirrorSpec } from './mirror.spec.ts'

const denominators: ReadonlyMap<number, Denominator> = new Map([
  [100, Denominator.HUNDRED],
  [10_000, Denominator.TEN_THOUSAND],
  [1_000_000, Denominator.MILLION],
])

/** A denominator that Envoy does not know becomes the nearest number of millionths. */
export function encodeMirror(spec: MirrorSpec): MessageInitShape<typeof RouteAction_RequestMirrorPolicySchema> {
  return {
    cluster: spec.cluster,
    runtimeFraction: { defaultValue: encodeFraction(spec) },
    disableShadowHostSuffixAppend: true,
  }
}

function encodeFraction({ numerator, denominator }: MirrorSpec): MessageInitShape<typeof FractionalPercentSchema> {
  const known = denominators.get(denominator)
  if (known !== undefined) return { numerator, denominator: known }
  return { numerator: Math.round((numerator / denominator) * 1_000_000), denominator: Denominator.MILLION }
}

/** Without a fraction every request is mirrored. Throws an Error that says what cannot be served. */
export function decodeMirror(policy: RouteAction_RequestMirrorPolicy): MirrorSpec {
  if (policy.cluster === '') throw new Error('request_mirror_policies: the cluster is missing')
  return { cluster: policy.cluster, ...decodeFraction(policy.runtimeFraction?.defaultValue) }
}

function decodeFraction(fraction: FractionalPercent | undefined): Omit<MirrorSpec, 'cluster'> {
  if (fraction === undefined) return { numerator: 100, denominator: 100 }
  const denominator = [...denominators].find(([, known]) => known === fraction.denominator)?.[0]
  if (denominator === undefined)
    throw new Error(`request_mirror_policies: denominator ${fraction.denominator} is unknown`)
  return { numerator: fraction.numerator, denominator }
}
