import { useEffect, useRef, useSyncExternalStore } from 'react'

/** Something that can be done on the screen that is open, by a key or from the command bar. */
export type Action = {
  id: string
  label: string
  /** A place on the keyboard, the same in every layout, such as `KeyR`; `?` is what is written. */
  key?: string
  run(): void
}

let screens: readonly (readonly Action[])[] = []
const listeners = new Set<() => void>()

function write(next: typeof screens) {
  screens = next
  for (const listener of listeners) listener()
}

/** Offers actions as long as the component is there. What they do may change without them being offered anew. */
export function useActions(actions: Action[]) {
  const latest = useRef(actions)
  latest.current = actions
  const names = JSON.stringify(actions.map(({ id, label, key }) => [id, label, key]))
  // biome-ignore lint/correctness/useExhaustiveDependencies: they are offered anew when their names change
  useEffect(() => {
    const offered = latest.current.map((action) => ({
      ...action,
      run: () => latest.current.find(({ id }) => id === action.id)?.run(),
    }))
    write([...screens, offered])
    return () => write(screens.filter((each) => each !== offered))
  }, [names])
}

/** What is offered now; of one name the latest. */
export function useOfferedActions(): Action[] {
  const all = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    () => screens,
  )
  return [...new Map(all.flat().map((action) => [action.id, action])).values()]
}

let opener: (() => void) | null = null

/** Opens the command bar, as Ctrl-K does. */
export const openCommands = () => opener?.()

/** Listens to the keys of all actions. @param onCommands by Ctrl-K, anywhere, and by `openCommands` */
export function useKeys(onCommands: () => void) {
  const open = useRef(onCommands)
  open.current = onCommands
  useEffect(() => {
    opener = () => open.current()
    const onKey = (event: KeyboardEvent) => {
      const handled = handlerOf(event, open.current)
      if (!handled) return
      event.preventDefault()
      // A list would take a letter for the beginning of a name.
      event.stopPropagation()
      handled()
    }
    window.addEventListener('keydown', onKey, { capture: true })
    return () => {
      opener = null
      window.removeEventListener('keydown', onKey, { capture: true })
    }
  }, [])
}

function handlerOf(event: KeyboardEvent, onCommands: () => void): (() => void) | null {
  if (event.code === 'KeyK' && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) return onCommands
  if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return null
  if (document.querySelector('[role="dialog"]')) return null
  const found = screens.flat().findLast(({ key }) => key === event.key || (key === event.code && !event.shiftKey))
  return found ? found.run : null
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}

/** A key as it is printed on the keyboard. */
export function keyName(key: string): string {
  return key.replace(/^Key/, '')
}
