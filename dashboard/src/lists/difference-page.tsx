// What two revisions of the configuration differ in, line by line: "#/configuration/6/7".
import type { DocumentDifference, RevisionDifference, RevisionList } from '../../../src/contracts/read-api.ts'
import { useAnswer } from '../api/ask.ts'
import { formatClock } from '../format.ts'
import { go, href } from '../route.ts'

import './difference.css'

export interface DifferencePageProps {
  readonly from: string
  readonly to: string
}

/** What a revision says does not change. */
const everyMs = 600_000

export function DifferencePage({ from, to }: DifferencePageProps) {
  const { answer, error } = useAnswer<RevisionDifference>(
    `difference ${from} ${to}`,
    () => `v1/difference?${new URLSearchParams({ from, to }).toString()}`,
    everyMs,
  )
  const { answer: history } = useAnswer<RevisionList>('revisions', () => 'v1/revisions', 10_000)
  const revisions = history?.revisions ?? []
  return (
    <div className="page">
      <header className="page-head">
        <h1>
          Revision {from} → {to}
        </h1>
        <a className="button" href={href(['configuration'])}>
          Configuration
        </a>
      </header>
      <div className="filters">
        <Revision
          label="From"
          value={from}
          revisions={revisions}
          choose={(one) => go(href(['configuration', one, to]))}
        />
        <Revision
          label="To"
          value={to}
          revisions={revisions}
          choose={(one) => go(href(['configuration', from, one]))}
        />
      </div>
      {answer === undefined ? (
        <p className="empty">{error?.message ?? 'Asking the control plane…'}</p>
      ) : answer.documents.length === 0 ? (
        <p className="empty">They say the same.</p>
      ) : (
        answer.documents.map((document) => <Difference key={document.id} document={document} />)
      )}
    </div>
  )
}

interface RevisionProps {
  readonly label: string
  readonly value: string
  readonly revisions: RevisionList['revisions']
  readonly choose: (revision: string) => void
}

function Revision({ label, value, revisions, choose }: RevisionProps) {
  const isListed = revisions.some(({ revision }) => String(revision) === value)
  return (
    <label>
      {label}{' '}
      <select value={value} onChange={(event) => choose(event.target.value)}>
        {!isListed && <option>{value}</option>}
        {revisions.map(({ revision, atMs }) => (
          <option key={revision} value={revision}>
            {revision}, {formatClock(atMs)}
          </option>
        ))}
      </select>
    </label>
  )
}

function Difference({ document: { id, action, hunks } }: { readonly document: DocumentDifference }) {
  return (
    <section>
      <h2>
        <a href={href(['configuration'], { find: id })}>{id}</a> <span className={`action ${action}`}>{action}</span>
      </h2>
      {hunks.length === 0 ? (
        <p className="empty">So much differs that this one is not shown.</p>
      ) : (
        <div className="difference" tabIndex={0} role="group" aria-label={`Lines of ${id}`}>
          {hunks.map((hunk, index) => (
            <pre key={index}>
              <span className="where">
                @@ -{hunk.beforeStart},{hunk.beforeCount} +{hunk.afterStart},{hunk.afterCount} @@
              </span>
              {hunk.lines.map(({ mark, text }, line) => {
                const Line = mark === '+' ? 'ins' : mark === '-' ? 'del' : 'span'
                return (
                  <Line key={line}>
                    {mark} {text}
                  </Line>
                )
              })}
            </pre>
          ))}
        </div>
      )}
    </section>
  )
}
