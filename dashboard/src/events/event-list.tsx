// Events, newest first, with what they are about and where it is shown.
import type { MeshEvent } from '../../../src/contracts/mesh-event.ts'
import { formatClock, pageOf } from '../format.ts'
import { href } from '../route.ts'

import './events.css'

const marks: Readonly<Record<MeshEvent['severity'], string>> = { info: '●', warning: '▲', error: '✕' }

export function EventList({ events, empty }: { readonly events: readonly MeshEvent[]; readonly empty: string }) {
  if (events.length === 0) return <p className="empty">{empty}</p>
  return (
    <ol className="events">
      {events.toReversed().map((event) => (
        <li key={event.id} className={event.severity}>
          <time dateTime={new Date(event.atMs).toISOString()} title={new Date(event.atMs).toLocaleString()}>
            {formatClock(event.atMs)}
          </time>
          <span className="mark" role="img" aria-label={event.severity}>
            {marks[event.severity]}
          </span>
          <span className="kind">{event.kind}</span>
          <div>
            {event.subject !== undefined && <Subject subject={event.subject} />} <span>{event.message}</span>
            {event.kind === 'configuration' && Number(event.revision) > 1 && (
              <>
                {' '}
                <a href={href(['configuration', String(Number(event.revision) - 1), event.revision ?? ''])}>
                  line by line
                </a>
              </>
            )}
            {event.documents?.length === 1 && (
              <>
                {' '}
                <a href={documentPage(event.documents[0] ?? '')}>where it is written</a>
              </>
            )}
            {event.documents !== undefined && event.documents.length > 1 && (
              <details>
                <summary>{event.documents.length} documents</summary>
                <ul>
                  {event.documents.map((document) => (
                    <li key={document}>
                      <a href={documentPage(document)}>{document}</a>
                    </li>
                  ))}
                </ul>
              </details>
            )}
          </div>
        </li>
      ))}
    </ol>
  )
}

function documentPage(id: string): string {
  return href(['configuration'], { find: id })
}

function Subject({ subject }: { readonly subject: string }) {
  const to = pageOf(subject)
  return to === undefined ? <b>{subject}</b> : <a href={to}>{subject}</a>
}
