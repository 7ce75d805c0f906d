// Dark or light: as the system says until somebody chooses.
import { useEffect, useState } from 'react'

export type Theme = 'dark' | 'light'

const key = 'heddle-theme'
const system = matchMedia('(prefers-color-scheme: light)')

export function useTheme(): [Theme, () => void] {
  const [chosen, choose] = useState(localStorage.getItem(key))
  const [bySystem, setBySystem] = useState<Theme>(system.matches ? 'light' : 'dark')
  useEffect(() => {
    const changed = (): void => setBySystem(system.matches ? 'light' : 'dark')
    system.addEventListener('change', changed)
    return () => system.removeEventListener('change', changed)
  }, [])
  const theme = chosen === 'dark' || chosen === 'light' ? chosen : bySystem
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme
  }, [theme])
  const toggle = (): void => {
    const next = theme === 'dark' ? 'light' : 'dark'
    localStorage.setItem(key, next)
    choose(next)
  }
  return [theme, toggle]
}
