// What is not encrypted, who is refused, and which certificate ends first.
import type { Admission, SecurityView } from '../../../src/contracts/read-api.ts'
import { useAnswer } from '../api/ask.ts'
import { EdgeTable, Name } from '../edge-table.tsx'
import { pageOf } from '../format.ts'
import { href } from '../route.ts'
import { Heads, NumberHead } from '../signal-cells.tsx'
import { certificateText } from './workload-table.tsx'

/** Proxies renew theirs when half of their hour is over. */
const soonMs = 10 * 60_000

export function SecurityPage({ windowMs }: { readonly windowMs: number }) {
  const { answer, error } = useAnswer<SecurityView>(
    `security ${windowMs}`,
    () => `v1/security?windowMs=${windowMs}`,
    5_000,
  )
  if (answer === undefined) return <p className="empty">{error?.message ?? 'Asking the control plane…'}</p>
  const nowMs = Date.now()
  return (
    <div className="page">
      <h1>Security</h1>
      <h2>Plaintext</h2>
      <EdgeTable
        edges={answer.plaintext}
        windowMs={answer.windowMs}
        caption="Requests without mutual TLS"
        empty="Every request that reached an endpoint had mutual TLS."
      />
      <h2>Refused</h2>
      {answer.refused.length === 0 ? (
        <p className="empty">
          No request was refused with 401 or 403, nor with gRPC PERMISSION_DENIED or UNAUTHENTICATED.
        </p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">To</th>
              <NumberHead>Refused</NumberHead>
              <Heads of={['Requests']} />
            </tr>
          </thead>
          <tbody>
            {answer.refused.map(({ from, to, requests }) => (
              <tr key={`${from} ${to}`}>
                <td>
                  <Name id={from} />
                </td>
                <td>
                  <Name id={to} />
                </td>
                <td className="number">{requests}</td>
                <td>
                  <Refusals service={to} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <h2>Who is let in</h2>
      <Admissions admissions={answer.admissions} />
      <h2>Certificates</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Holder</th>
            <th scope="col">Identity</th>
            <th scope="col">Ends</th>
          </tr>
        </thead>
        <tbody>
          {answer.certificates.map(({ holder, spiffeId, notAfterMs }, index) => (
            <tr key={index}>
              <td>{holder}</td>
              <td>{spiffeId === undefined ? '–' : <code>{spiffeId}</code>}</td>
              <td
                title={new Date(notAfterMs).toLocaleString()}
                className={notAfterMs - nowMs < soonMs ? 'degraded' : ''}
              >
                {certificateText(notAfterMs - nowMs)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

export function Admissions({ admissions }: { readonly admissions: readonly Admission[] }) {
  if (admissions.length === 0) return <p className="empty">There is no workload yet.</p>
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Of</th>
          <th scope="col">Mutual TLS</th>
          <th scope="col">Without a policy</th>
          <th scope="col">Policies</th>
        </tr>
      </thead>
      <tbody>
        {admissions.map(({ subject, peerAuthentication, byDefault, policies }) => (
          <tr key={subject}>
            <td>
              <Subject id={subject} />
            </td>
            <td className={peerAuthentication.some((mode) => mode !== 'STRICT') ? 'degraded' : ''}>
              {peerAuthentication.join(', ') || '–'}
            </td>
            <td>{byDefault}</td>
            <td>
              {policies.length === 0 && '–'}
              <ul className="plain">
                {policies.map((policy) => (
                  <li key={policy.id}>
                    <b>
                      {policy.action}
                      {policy.dryRun && ' (dry run)'}
                    </b>{' '}
                    {policy.callers.join(' or ') || 'nobody'}
                    {policy.isNarrowed && ', for some requests'}{' '}
                    <a href={href(['configuration'], { find: policy.id })}>{policy.id.split('/').at(-1)}</a>
                  </li>
                ))}
              </ul>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** What is kept of them, with the rule that refused each. */
function Refusals({ service }: { readonly service: string }) {
  const [kind, ...name] = service.split('/')
  if (kind !== 'service') return <>–</>
  return <a href={href(['traffic'], { service: name.join('/'), status: '4xx' })}>which, and by which rule</a>
}

function Subject({ id }: { readonly id: string }) {
  const to = pageOf(id)
  return to === undefined ? <>{id}</> : <a href={to}>{id}</a>
}
