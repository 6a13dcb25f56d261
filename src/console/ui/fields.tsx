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

/** What a refused request said. */
export function Problem({ error }: { error: Error | null }) {
  if (!error) return null
  return (
    <p role="alert" className="text-danger text-sm">
      {error.message}
    </p>
  )
}
