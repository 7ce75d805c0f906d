// The page of a mesh: takes its token, asks at once for what is going to be shown, and shows it.
// before those of parts of the page, which say more
import './theme.css'
import './page.css'
import './table.css'
import './frame.css'
import { createRoot } from 'react-dom/client'

import { liveFeed } from './api/live.ts'
import { takeToken } from './api/token.ts'
import { App, loadTopology } from './app.tsx'
import { currentRoute, windowOf } from './route.ts'

takeToken()
const route = currentRoute()
if ((route.path[0] ?? 'topology') === 'topology') void loadTopology()
liveFeed.watch(windowOf(route))
createRoot(document.querySelector('#root') as HTMLElement).render(<App />)
