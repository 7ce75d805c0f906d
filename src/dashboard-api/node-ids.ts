// Which node of the topology a party of observed traffic is: a Service stands for the workloads behind it.
import type { MeshService, MeshSnapshot } from '../control/snapshot/mesh-snapshot.ts'
import type { TrafficSeries } from '../control/telemetry/observed-traffic.ts'
import type { TrafficPeriod } from '../control/telemetry/traffic-period.ts'

/** Callers without a proxy of the mesh, and what is called that the mesh does not know. */
export const outsideId = 'outside'

export interface NodeIds {
  /** Who asked. */
  from(series: TrafficSeries): string
  /** Who was asked. */
  to(series: TrafficSeries): string
  /** The node that a workload ("namespace/name") belongs to. */
  ofWorkload(workload: string): string
}

/** A workload behind several Services belongs to the one that it answered most for in that time, else to the one with most workloads. */
export function nodeIds(snapshot: MeshSnapshot, period: TrafficPeriod): NodeIds {
  const answered = period.groups(({ service, workload }) =>
    service === '' || workload === '' ? undefined : `${workload}\n${service}`,
  )
  const best = new Map<string, { readonly id: string; readonly requests: number; readonly workloads: number }>()
  for (const service of snapshot.services.values()) {
    const behind = workloadsOf(service)
    for (const workload of behind) {
      const requests = answered.get(`${workload}\n${service.host}`)?.requests ?? 0
      const present = best.get(workload)
      const better =
        present === undefined ||
        requests > present.requests ||
        (requests === present.requests && behind.length > present.workloads)
      if (better) best.set(workload, { id: serviceId(service), requests, workloads: behind.length })
    }
  }
  const ofWorkload = (workload: string): string => best.get(workload)?.id ?? `workload/${workload}`
  return {
    ofWorkload,
    from({ reporter, source }) {
      if (reporter === 'destination') return outsideId
      return reporter === 'gateway' ? `gateway/${source}` : ofWorkload(source)
    },
    to({ service, workload }) {
      const known = snapshot.services.get(service)
      if (known !== undefined) return serviceId(known)
      return workload === '' ? outsideId : ofWorkload(workload)
    },
  }
}

export function serviceId({ external, namespace, name, host }: MeshService): string {
  return external ? `external/${host}` : `service/${namespace}/${name}`
}

/** "namespace/name" of those behind any of its ports. */
export function workloadsOf({ ports }: MeshService): string[] {
  const names = ports.flatMap(({ endpoints }) =>
    endpoints.flatMap((endpoint) => (endpoint.kind === 'workload' ? [endpoint.workload] : [])),
  )
  return [...new Set(names)]
}
