// The mesh as a picture or a table, and what is chosen in it beside it. Loaded on its own: nobody else needs the graph.
import { memo, useMemo } from 'react'

import type { MeshEvent } from '../../../src/contracts/mesh-event.ts'
import type { Topology, TopologyEdge } from '../../../src/contracts/read-api.ts'
import { useLive } from '../api/live.ts'
import { Codes, EdgeTable, Mtls, Name } from '../edge-table.tsx'
import { EventList } from '../events/event-list.tsx'
import { formatMs, formatRate, formatSuccess, pageOf, shortName } from '../format.ts'
import { HealthText } from '../health.tsx'
import { amend, href } from '../route.ts'
import { FailedRequests } from '../traffic/failed-requests.tsx'
import { byNamespace } from './by-namespace.ts'
import type { ShownNode, ShownTopology } from './by-namespace.ts'
import { Graph } from './graph.tsx'

import './topology.css'

/** With more, a namespace is one node until it is opened. */
const mostNodes = 120

// oxlint-disable-next-line import/no-default-export -- what React.lazy takes
export default function TopologyPage({ query }: { readonly query: URLSearchParams }) {
  const { topology, events } = useLive()
  return topology === undefined ? (
    <p className="empty">Asking the control plane…</p>
  ) : (
    <Mesh topology={topology} events={events} query={query} />
  )
}

interface MeshProps {
  readonly topology: Topology
  readonly events: readonly MeshEvent[]
  readonly query: URLSearchParams
}

function Mesh({ topology, events, query }: MeshProps) {
  const namespace = query.get('namespace') ?? ''
  const chosen = query.get('node') ?? ''
  const asTable = query.get('view') === 'table'
  const isAll = query.get('detail') === 'all'
  const { whole, shown, isGrouped, namespaces } = useMemo(
    () => seen(topology, namespace, isAll),
    [topology, namespace, isAll],
  )
  const node = shown.nodes.find(({ id }) => id === chosen)
  const edge = shown.edges.find(({ from, to }) => `${from} ${to}` === chosen)
  const grave = events.filter(({ severity, kind }) => severity !== 'info' || kind === 'configuration').slice(-6)
  return (
    <div className="topology">
      <h1 className="visually-hidden">Topology</h1>
      <div className="toolbar">
        {namespaces.length > 1 && (
          <label>
            Namespace{' '}
            <select value={namespace} onChange={(event) => amend({ namespace: event.target.value || undefined })}>
              <option value="">all</option>
              {namespaces.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        )}
        <button type="button" aria-pressed={asTable} onClick={() => amend({ view: asTable ? undefined : 'table' })}>
          Table
        </button>
        {whole.nodes.length > mostNodes && (
          <button
            type="button"
            aria-pressed={!isGrouped}
            onClick={() => amend({ detail: isGrouped ? 'all' : undefined, node: undefined })}
          >
            All services
          </button>
        )}
        <Summary topology={whole} />
      </div>
      <div className="picture">
        {shown.nodes.length === 0 ? (
          <p className="empty">
            There is nothing in this mesh yet. Add documents to the folder that heddle up reads, and it shows up here.
          </p>
        ) : asTable ? (
          <div className="page">
            <EdgeTable
              edges={whole.edges}
              windowMs={shown.windowMs}
              caption="Who calls whom"
              empty="Nobody has called anybody in this time."
            />
          </div>
        ) : (
          <Graph
            key={`${namespace} ${isGrouped}`}
            topology={shown}
            chosen={chosen}
            choose={(id) => amend({ node: id })}
          />
        )}
      </div>
      <aside className="side" aria-label="Details" aria-live="polite">
        {node !== undefined && <NodeDetails node={node} topology={shown} />}
        {edge !== undefined && <EdgeDetails edge={edge} windowMs={shown.windowMs} />}
        {node === undefined && edge === undefined && (
          <>
            <h2>What changed</h2>
            <EventList events={grave} empty="Nothing has changed or failed since the control plane started." />
            <p className="quiet">Choose a node or an edge to see its figures.</p>
          </>
        )}
      </aside>
    </div>
  )
}

const Summary = memo(function Summary({ topology }: { readonly topology: Topology }) {
  const { nodes, edges, windowMs, revision } = topology
  const requests = edges.reduce((sum, edge) => sum + edge.requests, 0)
  const failed = edges.reduce((sum, edge) => sum + edge.failed, 0)
  const failing = nodes.filter(({ health }) => health === 'failing').length
  return (
    <p className="summary">
      <span>{formatRate(requests, windowMs)}</span>
      <span>{formatSuccess({ requests, failed })} success</span>
      {failing > 0 && <span className="failing">{failing} failing</span>}
      <span className="quiet">revision {revision}</span>
    </p>
  )
})

function NodeDetails({ node, topology }: { readonly node: ShownNode; readonly topology: ShownTopology }) {
  const to = pageOf(node.id)
  const { windowMs } = topology
  return (
    <>
      <h2>{node.name}</h2>
      <p>
        <HealthText health={node.health} />
      </p>
      <Figures signals={node} windowMs={windowMs} />
      {node.kind === 'namespace' && (
        <p>
          <a className="button" href={href(['topology'], { namespace: node.name })}>
            Open {node.name}
          </a>
        </p>
      )}
      {to !== undefined && (
        <p>
          <a className="button" href={to}>
            Open {node.name}
          </a>
        </p>
      )}
      <Edges
        title="Called by"
        edges={topology.edges.filter((edge) => edge.to === node.id)}
        end="from"
        windowMs={windowMs}
      />
      <Edges
        title="Calls"
        edges={topology.edges.filter((edge) => edge.from === node.id)}
        end="to"
        windowMs={windowMs}
      />
    </>
  )
}

function Edges(props: {
  readonly title: string
  readonly edges: readonly TopologyEdge[]
  readonly end: 'from' | 'to'
  readonly windowMs: number
}) {
  if (props.edges.length === 0) return null
  return (
    <>
      <h3>{props.title}</h3>
      <ul className="plain">
        {props.edges.map((edge) => (
          <li key={edge[props.end]}>
            <Name id={edge[props.end]} />{' '}
            <span className="quiet">
              {formatRate(edge.requests, props.windowMs)}, {formatSuccess(edge)}, p99 {formatMs(edge.durationMs?.p99)}
            </span>
          </li>
        ))}
      </ul>
    </>
  )
}

function EdgeDetails({ edge, windowMs }: { readonly edge: TopologyEdge; readonly windowMs: number }) {
  return (
    <>
      <h2>
        {shortName(edge.from)} → {shortName(edge.to)}
      </h2>
      <p>
        <HealthText health={edge.health} />
      </p>
      <Figures signals={edge} windowMs={windowMs} />
      <dl className="figures">
        <dt>mTLS</dt>
        <dd>
          <Mtls mtls={edge.mtls} />
        </dd>
        <dt>Protocol</dt>
        <dd>{edge.protocols.join(', ')}</dd>
        <dt>Answers</dt>
        <dd>
          <Codes codes={edge.codes} />
        </dd>
      </dl>
      {pageOf(edge.to) !== undefined && (
        <p>
          <a className="button" href={pageOf(edge.to)}>
            Open {shortName(edge.to)}
          </a>{' '}
          <FailedRequests service={edge.to} failed={edge.failed} />
        </p>
      )}
    </>
  )
}

function Figures({
  signals,
  windowMs,
}: {
  readonly signals: Pick<TopologyEdge, 'requests' | 'failed'> & Partial<Pick<TopologyEdge, 'durationMs'>>
  readonly windowMs: number
}) {
  const { requests, failed, durationMs } = signals
  return (
    <dl className="figures">
      <dt>Rate</dt>
      <dd>{formatRate(requests, windowMs)}</dd>
      <dt>Success</dt>
      <dd>
        {formatSuccess({ requests, failed })}{' '}
        <span className="quiet">
          ({failed} of {requests} failed)
        </span>
      </dd>
      <dt>p50</dt>
      <dd>{formatMs(durationMs?.p50)}</dd>
      <dt>p90</dt>
      <dd>{formatMs(durationMs?.p90)}</dd>
      <dt>p99</dt>
      <dd>{formatMs(durationMs?.p99)}</dd>
    </dl>
  )
}

interface Seen {
  readonly whole: Topology
  /** Where there are too many nodes, by namespace. */
  readonly shown: ShownTopology
  readonly isGrouped: boolean
  readonly namespaces: readonly string[]
}

function seen(topology: Topology, namespace: string, isAll: boolean): Seen {
  const whole = only(topology, namespace)
  const isGrouped = whole.nodes.length > mostNodes && !isAll
  const namespaces = [...new Set(topology.nodes.map((node) => node.namespace))].filter((one) => one !== '').toSorted()
  return { whole, shown: isGrouped ? byNamespace(whole, namespace) : whole, isGrouped, namespaces }
}

/** A namespace with whom it talks. */
function only(topology: Topology, namespace: string): Topology {
  if (namespace === '') return topology
  const inside = new Set(topology.nodes.filter((node) => node.namespace === namespace).map(({ id }) => id))
  const edges = topology.edges.filter(({ from, to }) => inside.has(from) || inside.has(to))
  const shown = new Set([...inside, ...edges.flatMap(({ from, to }) => [from, to])])
  return { ...topology, edges, nodes: topology.nodes.filter(({ id }) => shown.has(id)) }
}
