// Who is let in where, as policies say: for a look at all of them. `heddle authz check` says it of one request.
import type { Admission } from '../contracts/read-api.ts'
import type { MeshSnapshot } from '../control/snapshot/mesh-snapshot.ts'
import type { AppliedPolicy, AuthorizationSource } from '../policies/authorization/authorization.spec.ts'

export function admissionsOf({ workloads, gateways, settings }: MeshSnapshot): Admission[] {
  const of = (subject: string, policies: readonly AppliedPolicy[], modes: readonly string[]): Admission => ({
    subject,
    peerAuthentication: [...new Set(modes)],
    byDefault:
      settings.authorizationDefault === 'DENY' || policies.some(({ spec }) => spec.action === 'ALLOW' && !spec.dryRun)
        ? 'refused'
        : 'allowed',
    policies: policies.map(({ name, source, spec }) => ({
      id: name,
      ...(source.file !== undefined && { file: source.file }),
      ...(source.line !== undefined && { line: source.line }),
      action: spec.action,
      dryRun: spec.dryRun,
      callers: [
        ...new Set(
          (spec.rules ?? []).flatMap(({ from }) => from?.flatMap((one) => callersOf(one.source)) ?? ['anybody']),
        ),
      ],
      isNarrowed: (spec.rules ?? []).some(({ to, when, condition }) => to ?? when ?? condition),
    })),
  })
  return [
    ...[...workloads.values()].map(({ namespace, name, security, ports }) =>
      of(
        `Workload/${namespace}/${name}`,
        security.authorization,
        ports.map(({ peerAuthentication }) => peerAuthentication ?? settings.peerAuthentication),
      ),
    ),
    ...[...gateways.values()].map(({ namespace, name, security }) =>
      of(`Gateway/${namespace}/${name}`, security.authorization, []),
    ),
  ]
}

/** In the words of the policy: "namespaces: shop", "not principals: …"; all of them must fit. */
function callersOf(source: AuthorizationSource): string {
  const parts = Object.entries(source).flatMap(([field, values]: [string, readonly string[] | undefined]) => {
    if (values === undefined || values.length === 0) return []
    return [`${field.replace(/^not([A-Z])/, (_, first: string) => `not ${first.toLowerCase()}`)}: ${values.join(', ')}`]
  })
  return parts.length === 0 ? 'anybody' : parts.join('; ')
}
