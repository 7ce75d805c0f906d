// "/" from anywhere: services, workloads, documents and pages by any part of their names.
import { useEffect, useMemo, useRef, useState } from 'react'

import type { ConfigurationView } from '../../src/contracts/read-api.ts'
import { useAnswer } from './api/ask.ts'
import { useLive } from './api/live.ts'
import { pageOf } from './format.ts'
import { go, href } from './route.ts'

import './search.css'

interface Found {
  readonly text: string
  readonly kind: string
  readonly to: string
}

const mostFound = 12
const pages = ['topology', 'services', 'workloads', 'traffic', 'events', 'configuration', 'security']

export function Search({ close }: { readonly close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState(0)
  const { topology } = useLive()
  const { answer } = useAnswer<ConfigurationView>('configuration', () => 'v1/configuration', 60_000)
  useEffect(() => dialog.current?.showModal(), [])
  const all = useMemo<Found[]>(() => {
    const nodes = (topology?.nodes ?? []).map((node) => ({
      text: node.namespace === '' ? node.name : `${node.namespace}/${node.name}`,
      kind: node.kind,
      to: pageOf(node.id) ?? href(['topology'], { node: node.id }),
    }))
    const documents = (answer?.documents ?? []).map(({ id }) => {
      const [kind = '', ...name] = id.split('/')
      return { text: name.join('/'), kind: `${kind} document`, to: href(['configuration'], { find: id }) }
    })
    return [...nodes, ...documents, ...pages.map((page) => ({ text: page, kind: 'page', to: href([page]) }))]
  }, [topology?.nodes, answer])
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const found = all
    .filter((one) => words.every((word) => `${one.kind} ${one.text}`.toLowerCase().includes(word)))
    .slice(0, mostFound)
  const open = (one: Found | undefined): void => {
    if (one === undefined) return
    go(one.to)
    close()
  }
  return (
    <dialog
      ref={dialog}
      className="search"
      aria-label="Search"
      onClose={close}
      onClick={(event) => event.target === dialog.current && close()}
    >
      <input
        // the dialog was opened to type in it
        autoFocus
        type="search"
        role="combobox"
        aria-expanded="true"
        aria-controls="found"
        aria-activedescendant={found[chosen] === undefined ? undefined : `found-${chosen}`}
        aria-label="Search services, workloads and documents"
        placeholder="Search services, workloads, documents…"
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          setChosen(0)
        }}
        onKeyDown={(event) => {
          const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
          if (step !== undefined) {
            event.preventDefault()
            setChosen((chosen + step + found.length) % Math.max(1, found.length))
          } else if (event.key === 'Enter') open(found[chosen])
        }}
      />
      <ul id="found" role="listbox" aria-label="Found">
        {found.map((one, index) => (
          <li
            key={`${one.kind} ${one.text}`}
            id={`found-${index}`}
            role="option"
            aria-selected={index === chosen}
            onClick={() => open(one)}
            onMouseMove={() => setChosen(index)}
          >
            <span>{one.text}</span>
            <span className="kind">{one.kind}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="empty">Nothing has that name.</p>}
    </dialog>
  )
}
