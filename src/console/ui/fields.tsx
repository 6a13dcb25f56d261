import type { ReactNode } from 'react'
import { useTranslations } from 'use-intl'
import { PageError, type Refusal, refusalOf, useRefusalText } from '../app/errors.ts'

const BOX = 'w-full rounded-lg border border-line bg-page px-3 py-2'

/** A labelled field of a form. */
export function Field({
  label,
  hint,
  children,
}: {
  label: string
  hint?: string
  children(className: string): ReactNode
}) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is its child
    <label className="flex flex-col gap-1">
      <span className="font-medium">{label}</span>
      {children(BOX)}
      {hint && <span className="text-muted text-sm">{hint}</span>}
    </label>
  )
}

/** @param props.wide for tables and lists that need the room */
export function Panel({ title, wide = false, children }: { title: string; wide?: boolean; children: ReactNode }) {
  return (
    <section
      className={`flex min-w-0 flex-col gap-4 rounded-xl border border-line bg-surface p-4 ${wide ? 'max-w-5xl' : 'max-w-2xl'}`}
    >
      <h2 className="font-semibold text-lg">{title}</h2>
      {children}
    </section>
  )
}

/** What a refused request means. */
export function Problem({ error }: { error: Error | null }) {
  if (error instanceof PageError)
    return (
      <p role="alert" className="text-danger text-sm">
        {error.message}
      </p>
    )
  return error ? <Refused refusal={refusalOf(error)} /> : null
}

/** @param props.refusal null when the server could not be reached */
export function Refused({ refusal }: { refusal: Refusal | null }) {
  const t = useTranslations('state')
  const { text, detail } = useRefusalText()(refusal)
  return (
    <div role="alert" className="text-danger text-sm">
      <p>{text}</p>
      {detail && (
        <details>
          <summary>{t('errorDetail')}</summary>
          <bdi dir="ltr" lang="en">
            {detail}
          </bdi>
        </details>
      )}
    </div>
  )
}
