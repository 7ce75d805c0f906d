// The routes that requests to a service took, and where they are written.
import type { RouteView } from '../../../src/contracts/read-api.ts'
import { Codes } from '../edge-table.tsx'
import { Place } from '../lists/workload-table.tsx'
import { href } from '../route.ts'
import { Heads, SignalCells, SignalHeads } from '../signal-cells.tsx'

export interface RouteTableProps {
  readonly routes: readonly RouteView[]
  readonly windowMs: number
}

export function RouteTable({ routes, windowMs }: RouteTableProps) {
  if (routes.length === 0) return <p className="empty">No request took a route to it in this time.</p>
  return (
    <table>
      <thead>
        <tr>
          <Heads of={['Route']} />
          <SignalHeads />
          <Heads of={['Answers', 'Written in']} />
        </tr>
      </thead>
      <tbody>
        {routes.map((route) => (
          <tr key={route.route}>
            <td>{route.route === '' ? 'none' : <code>{route.route}</code>}</td>
            <SignalCells signals={route} windowMs={windowMs} />
            <td>
              <Codes codes={route.codes} />
            </td>
            <td>
              {route.document === undefined ? (
                '–'
              ) : (
                <>
                  <a href={href(['configuration'], { find: route.document.id })}>{route.document.id}</a>{' '}
                  <Place place={route.document} />
                </>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
