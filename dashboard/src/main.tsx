// The page of a mesh: takes its token, then shows what the read API says.
import { createRoot } from 'react-dom/client'

import { takeToken } from './api/token.ts'
import { App } from './app.tsx'

import './theme.css'

takeToken()
createRoot(document.querySelector('#root') as HTMLElement).render(<App />)
