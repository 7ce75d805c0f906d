// What happened in the mesh, as it happens, by kind and gravity.
import type { MeshEvent } from '../../../src/contracts/mesh-event.ts'
import { useLive } from '../api/live.ts'
import { amend } from '../route.ts'
import { EventList } from './event-list.tsx'

const kinds: readonly MeshEvent['kind'][] = [
  'configuration',
  'problem',
  'workload',
  'proxy',
  'endpoint',
  'certificate',
  'tap',
]

export function EventsPage({ query }: { readonly query: URLSearchParams }) {
  const { events } = useLive()
  const kind = query.get('kind') ?? ''
  const grave = query.get('grave') === 'yes'
  const find = (query.get('find') ?? '').toLowerCase()
  const shown = events.filter(
    (event) =>
      (kind === '' || event.kind === kind) &&
      (!grave || event.severity !== 'info') &&
      `${event.subject ?? ''} ${event.message}`.toLowerCase().includes(find),
  )
  return (
    <div className="page">
      <h1>Events</h1>
      <div className="filters">
        <label>
          Kind{' '}
          <select value={kind} onChange={(event) => amend({ kind: event.target.value || undefined })}>
            <option value="">all</option>
            {kinds.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <label>
          <input
            type="checkbox"
            checked={grave}
            onChange={(event) => amend({ grave: event.target.checked ? 'yes' : undefined })}
          />{' '}
          warnings and errors only
        </label>
        <label>
          Find{' '}
          <input
            type="search"
            value={query.get('find') ?? ''}
            onChange={(event) => amend({ find: event.target.value || undefined })}
          />
        </label>
      </div>
      <EventList
        events={shown}
        empty={
          events.length === 0
            ? 'Nothing has happened yet. Change a document, and it shows up here.'
            : 'No event fits: choose another kind, or find something else.'
        }
      />
    </div>
  )
}
