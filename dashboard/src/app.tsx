// The frame around every page: where one can go, what is live, search, and how it looks.
import { lazy, Suspense, useEffect, useState } from 'react'

import { liveFeed, useLive } from './api/live.ts'
import { EventsPage } from './events/events-page.tsx'
import { ConfigurationPage } from './lists/configuration-page.tsx'
import { DifferencePage } from './lists/difference-page.tsx'
import { SecurityPage } from './lists/security-page.tsx'
import { ServicesPage } from './lists/services-page.tsx'
import { WorkloadsPage } from './lists/workloads-page.tsx'
import { amend, href, keepWindow, useRoute, windowOf, windows } from './route.ts'
import type { Route } from './route.ts'
import { Search } from './search.tsx'
import { ServicePage } from './service/service-page.tsx'
import { WorkloadPage } from './service/workload-page.tsx'
import { useTheme } from './theme.ts'
import { TokenForm } from './token-form.tsx'
import { RequestPage } from './traffic/request-page.tsx'
import { TrafficPage } from './traffic/traffic-page.tsx'

export const loadTopology = () => import('./topology/topology-page.tsx')
const TopologyPage = lazy(loadTopology)

const pages = [
  ['topology', 'Topology'],
  ['services', 'Services'],
  ['workloads', 'Workloads'],
  ['traffic', 'Traffic'],
  ['events', 'Events'],
  ['configuration', 'Configuration'],
  ['security', 'Security'],
] as const

export function App() {
  const route = useRoute()
  const windowMs = windowOf(route)
  useEffect(() => liveFeed.watch(windowMs), [windowMs])
  const { state } = useLive()
  const [theme, switchTheme] = useTheme()
  const [searching, setSearching] = useState(false)
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const typing = event.target instanceof HTMLElement && event.target.matches('input, textarea, select')
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return
      event.preventDefault()
      setSearching(true)
    }
    window.addEventListener('keydown', pressed)
    return () => window.removeEventListener('keydown', pressed)
  }, [])
  const [first = 'topology'] = route.path
  const title =
    first === 'service' || first === 'workload'
      ? (route.path[2] ?? 'Heddle')
      : (pages.find(([id]) => id === first)?.[1] ?? 'Heddle')
  useEffect(() => {
    document.title = `${title} · Heddle`
  }, [title])
  return (
    <>
      <a className="skip" href="#content" onClick={(event) => focusContent(event.nativeEvent)}>
        Skip to content
      </a>
      <header className="bar">
        <a className="brand" href={href(['topology'])}>
          <img src="./favicon.svg" alt="" width="22" height="22" />
          Heddle
        </a>
        <nav aria-label="Pages">
          {pages.map(([id, text]) => {
            const current = id === first || `${first}s` === id
            return (
              <a key={id} href={href([id], keepWindow(windowMs))} aria-current={current ? 'page' : undefined}>
                {text}
              </a>
            )
          })}
        </nav>
        <span className="spring" />
        <span className={`liveness ${state}`} role="status">
          {
            {
              connecting: 'connecting',
              live: 'live',
              lost: 'no control plane: trying again',
              refused: 'no valid token',
            }[state]
          }
        </span>
        <label className="visually-hidden" htmlFor="window">
          Time range
        </label>
        <select
          id="window"
          value={windowMs / 1000}
          onChange={(event) => amend({ window: event.target.value === '60' ? undefined : event.target.value })}
        >
          {windows.map(([seconds, text]) => (
            <option key={seconds} value={seconds}>
              last {text}
            </option>
          ))}
        </select>
        <button type="button" className="search-button" onClick={() => setSearching(true)}>
          Search <kbd>/</kbd>
        </button>
        <button type="button" onClick={switchTheme} aria-label={theme === 'dark' ? 'Light colours' : 'Dark colours'}>
          {theme === 'dark' ? '☀' : '☾'}
        </button>
      </header>
      <main id="content" tabIndex={-1}>
        {state === 'refused' ? <TokenForm /> : <Page route={route} windowMs={windowMs} />}
      </main>
      {searching && <Search close={() => setSearching(false)} />}
    </>
  )
}

function Page({ route: { path, query }, windowMs }: { readonly route: Route; readonly windowMs: number }) {
  const [first = 'topology', namespace, name] = path
  switch (first) {
    case 'service':
      return (
        <ServicePage key={`${namespace}/${name}`} namespace={namespace ?? ''} name={name ?? ''} windowMs={windowMs} />
      )
    case 'workload':
      return (
        <WorkloadPage key={`${namespace}/${name}`} namespace={namespace ?? ''} name={name ?? ''} windowMs={windowMs} />
      )
    case 'services':
      return <ServicesPage />
    case 'workloads':
      return <WorkloadsPage windowMs={windowMs} find={query.get('find') ?? ''} />
    case 'traffic':
      return namespace === undefined ? (
        <TrafficPage query={query} windowMs={windowMs} />
      ) : (
        <RequestPage key={namespace} id={namespace} />
      )
    case 'events':
      return <EventsPage query={query} />
    case 'configuration':
      return namespace === undefined ? (
        <ConfigurationPage />
      ) : (
        <DifferencePage from={namespace} to={name ?? namespace} />
      )
    case 'security':
      return <SecurityPage windowMs={windowMs} />
    default:
      return (
        <Suspense fallback={<p className="empty">Laying out the mesh…</p>}>
          <TopologyPage query={query} />
        </Suspense>
      )
  }
}

function focusContent(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('#content')?.focus()
}
