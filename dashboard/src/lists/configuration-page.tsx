// What is wrong with documents, the revisions they made, and all that are in force.
import type { ConfigurationView, RevisionList } from '../../../src/contracts/read-api.ts'
import { useAnswer } from '../api/ask.ts'
import { formatClock } from '../format.ts'
import { amend, href, useRoute } from '../route.ts'
import { Place } from './workload-table.tsx'

import './configuration.css'

const mostRevisions = 20

export function ConfigurationPage() {
  const { query } = useRoute()
  const find = query.get('find') ?? ''
  const { answer, error } = useAnswer<ConfigurationView>('configuration', () => 'v1/configuration', 2_000)
  const { answer: history } = useAnswer<RevisionList>(
    `revisions ${answer?.revision ?? ''}`,
    () => 'v1/revisions',
    10_000,
  )
  if (answer === undefined) return <p className="empty">{error?.message ?? 'Asking the control plane…'}</p>
  const documents = answer.documents.filter(({ id }) => id.toLowerCase().includes(find.toLowerCase()))
  return (
    <div className="page">
      <h1>Configuration</h1>
      <p>Revision {answer.revision} is in force.</p>
      <h2>Problems</h2>
      {answer.problems.length === 0 ? (
        <p className="empty good">Nothing is wrong with any document.</p>
      ) : (
        <ul className="problems">
          {answer.problems.map((problem, index) => (
            <li key={index} className={problem.severity}>
              <b>
                {problem.severity} {problem.code}
              </b>{' '}
              {problem.position !== undefined && (
                <code>
                  {problem.position.file}:{problem.position.line}:{problem.position.column}
                </code>
              )}
              <div className="text">{problem.message}</div>
              {problem.hint !== undefined && <div className="hint">{problem.hint}</div>}
            </li>
          ))}
        </ul>
      )}
      <h2>Revisions</h2>
      <ol className="revisions">
        {(history?.revisions ?? []).slice(0, mostRevisions).map(({ revision, atMs, changed }, index) => (
          <li key={revision}>
            <Revision revision={revision} before={history?.revisions[index + 1]?.revision} />{' '}
            <time dateTime={new Date(atMs).toISOString()} title={new Date(atMs).toLocaleString()}>
              {formatClock(atMs)}
            </time>{' '}
            {changed.slice(0, 4).join(', ')}
            {changed.length > 4 && ` and ${changed.length - 4} more`}
          </li>
        ))}
      </ol>
      <h2>Documents</h2>
      <div className="filters">
        <label>
          Find{' '}
          <input type="search" value={find} onChange={(event) => amend({ find: event.target.value || undefined })} />
        </label>
      </div>
      <table>
        <thead>
          <tr>
            <th scope="col">Kind</th>
            <th scope="col">Name</th>
            <th scope="col">Written in</th>
          </tr>
        </thead>
        <tbody>
          {documents.map((document) => {
            const [kind, ...name] = document.id.split('/')
            return (
              <tr key={document.id}>
                <td>{kind}</td>
                <td>{name.join('/')}</td>
                <td>
                  <Place place={document} />
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
      {documents.length === 0 && <p className="empty">No document has that name.</p>}
    </div>
  )
}

/** The first one differs from nothing. */
function Revision({ revision, before }: { readonly revision: number; readonly before: number | undefined }) {
  if (before === undefined) return <b>{revision}</b>
  return (
    <a href={href(['configuration', String(before), String(revision)])} title={`What changed since revision ${before}`}>
      <b>{revision}</b>
    </a>
  )
}
