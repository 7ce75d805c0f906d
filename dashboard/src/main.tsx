// The page of a mesh: takes its token, asks at once for what is going to be shown, and shows it.
import { createRoot } from 'react-dom/client'

import { liveFeed } from './api/live.ts'
import { takeToken } from './api/token.ts'
import { App, loadTopology } from './app.tsx'
import { currentRoute, windowOf } from './route.ts'

import './theme.css'

takeToken()
const route = currentRoute()
if ((route.path[0] ?? 'topology') === 'topology') void loadTopology()
liveFeed.watch(windowOf(route))
createRoot(document.querySelector('#root') as HTMLElement).render(<App />)
