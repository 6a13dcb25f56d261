import type { ReactNode } from 'react'

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

export function Panel({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex max-w-2xl flex-col gap-4 rounded-xl border border-line bg-surface p-4">
      <h2 className="font-semibold text-lg">{title}</h2>
      {children}
    </section>
  )
}

/** What a refused request said. */
export function Problem({ error }: { error: Error | null }) {
  if (!error) return null
  return (
    <p role="alert" className="text-danger text-sm">
      {error.message}
    </p>
  )
}
