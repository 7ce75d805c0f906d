// Who is let in where, as policies say: for a look at all of them. `heddle authz check` says it of one request.
import type { Admission } from '../contracts/read-api.ts'
import type { MeshSnapshot, MeshWorkload } from '../control/snapshot/mesh-snapshot.ts'
import type { AppliedPolicy, AuthorizationSource } from '../policies/authorization/authorization.spec.ts'

export function admissionsOf(snapshot: MeshSnapshot): Admission[] {
  const gateways = [...snapshot.gateways.values()].map(({ namespace, name, security }) =>
    admission(`Gateway/${namespace}/${name}`, security.authorization, [], snapshot),
  )
  return [...[...snapshot.workloads.values()].map((workload) => admissionOf(workload, snapshot)), ...gateways]
}

export function admissionOf({ namespace, name, security, ports }: MeshWorkload, snapshot: MeshSnapshot): Admission {
  const modes = ports.map(({ peerAuthentication }) => peerAuthentication ?? snapshot.settings.peerAuthentication)
  return admission(`Workload/${namespace}/${name}`, security.authorization, modes, snapshot)
}

function admission(
  subject: string,
  policies: readonly AppliedPolicy[],
  modes: readonly string[],
  { settings }: MeshSnapshot,
): Admission {
  const allowing = policies.some(({ spec }) => spec.action === 'ALLOW' && !spec.dryRun)
  return {
    subject,
    peerAuthentication: [...new Set(modes)],
    byDefault: allowing || settings.authorizationDefault === 'DENY' ? 'refused' : 'allowed',
    policies: policies.map(({ name, source, spec: { action, dryRun, rules = [] } }) => ({
      id: name,
      ...(source.file !== undefined && { file: source.file }),
      ...(source.line !== undefined && { line: source.line }),
      action,
      dryRun,
      callers: [...new Set(rules.flatMap(({ from }) => from?.map((one) => callersOf(one.source)) ?? ['anybody']))],
      isNarrowed: rules.some(({ to, when, condition }) => (to ?? when ?? condition) !== undefined),
    })),
  }
}

/** In the words of the policy: "namespaces: shop", "not principals: …"; all of them must fit. */
function callersOf(source: AuthorizationSource): string {
  const parts = Object.entries(source).flatMap(([field, values]: [string, readonly string[] | undefined]) => {
    if (values === undefined || values.length === 0) return []
    return [`${field.replace(/^not([A-Z])/, (_, first: string) => `not ${first.toLowerCase()}`)}: ${values.join(', ')}`]
  })
  return parts.length === 0 ? 'anybody' : parts.join('; ')
}
