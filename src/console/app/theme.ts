export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const listeners = new Set<() => void>()

/** The chosen look; `system` follows the device. */
export function readTheme(): Theme {
  const stored = localStorage.getItem('theme')
  return stored === 'light' || stored === 'dark' ? stored : 'system'
}

export function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
}

export function chooseTheme(theme: Theme): void {
  if (theme === 'system') localStorage.removeItem('theme')
  else localStorage.setItem('theme', theme)
  applyTheme(theme)
  for (const listener of listeners) listener()
}

/** For `useSyncExternalStore`: also what another tab chose. */
export function onThemeChange(listener: () => void): () => void {
  const stored = (event: StorageEvent) => {
    if (event.key !== 'theme') return
    applyTheme(readTheme())
    listener()
  }
  listeners.add(listener)
  addEventListener('storage', stored)
  return () => {
    listeners.delete(listener)
    removeEventListener('storage', stored)
  }
}
