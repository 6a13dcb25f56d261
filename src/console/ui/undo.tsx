import { useEffect, useState } from 'react'
import { useTranslations } from 'use-intl'
import { Act } from './buttons.tsx'

type Done = { text: string; undo(): void }

/** How long a change can be taken back with one press. */
const SHOWN_MS = 10_000

/** Announces what was done, and takes it back when asked. */
export function useUndo() {
  const t = useTranslations('state')
  const [done, setDone] = useState<Done | null>(null)
  useEffect(() => {
    if (!done) return
    const timer = setTimeout(() => setDone(null), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [done])
  const bar = (
    <div
      role="status"
      className="pointer-events-none fixed inset-x-0 bottom-20 z-10 flex justify-center px-4 md:bottom-6"
    >
      {done && (
        <p className="pointer-events-auto flex items-center gap-3 rounded-xl bg-ink px-4 py-2 text-page shadow-lg">
          {done.text}
          <Act
            look="quiet"
            className="!text-page underline hover:!bg-transparent"
            onPress={() => {
              done.undo()
              setDone(null)
            }}
          >
            {t('undo')}
          </Act>
        </p>
      )}
    </div>
  )
  return { bar, announce: (text: string, undo: () => void) => setDone({ text, undo }) }
}
