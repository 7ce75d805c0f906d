// All services with their golden signals, the worst first.
import type { Health } from '../../../src/contracts/read-api.ts'
import { useLive } from '../api/live.ts'
import { HealthText } from '../health.tsx'
import { href } from '../route.ts'
import { SignalCells, SignalHeads } from '../signal-cells.tsx'

const order: readonly Health[] = ['failing', 'degraded', 'healthy', 'idle']

export function ServicesPage() {
  const { topology } = useLive()
  if (topology === undefined) return <p className="empty">Asking the control plane…</p>
  const services = topology.nodes
    .filter(({ kind }) => kind === 'service')
    .toSorted(
      (a, b) => order.indexOf(a.health) - order.indexOf(b.health) || b.requests - a.requests || (a.id < b.id ? -1 : 1),
    )
  return (
    <div className="page">
      <h1>Services</h1>
      {services.length === 0 ? (
        <p className="empty">There is no Service yet. Add a document of kind Service, and it shows up here.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Service</th>
              <th scope="col">Health</th>
              <th scope="col" className="number">
                Ready
              </th>
              <SignalHeads />
            </tr>
          </thead>
          <tbody>
            {services.map((service) => (
              <tr key={service.id}>
                <td>
                  <a href={href(['service', service.namespace, service.name])}>{service.name}</a>{' '}
                  <span className="kind">{service.namespace}</span>
                </td>
                <td>
                  <HealthText health={service.health} />
                </td>
                <td className="number">
                  {service.ready}/{service.workloads.length}
                </td>
                <SignalCells signals={service} windowMs={topology.windowMs} />
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  )
}
