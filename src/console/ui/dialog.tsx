import { type ReactNode, useEffect, useId, useRef } from 'react'
import { useTranslations } from 'use-intl'
import { Act } from './buttons.tsx'

/** A dialog over the page, by the browser's own element: it keeps the focus, and Escape closes it. */
export function Dialog({ title, onClose, children }: { title: string; onClose(): void; children: ReactNode }) {
  const t = useTranslations('state')
  const id = useId()
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (!element.current?.open) element.current?.showModal()
  }, [])
  return (
    <dialog
      ref={element}
      aria-labelledby={id}
      onClose={onClose}
      className="m-auto max-h-[90dvh] w-full max-w-md overflow-y-auto rounded-2xl border border-line bg-surface p-4 text-ink backdrop:bg-black/40"
    >
      <header className="mb-3 flex items-center justify-between gap-3">
        <h2 id={id} className="font-bold text-lg">
          <bdi>{title}</bdi>
        </h2>
        <Act look="quiet" onPress={() => element.current?.close()}>
          {t('close')}
        </Act>
      </header>
      {children}
    </dialog>
  )
}
