import type { ReactNode } from 'react'

/** What was looked at and found, below a step. */
export function Checked({ good, children }: { good: boolean; children: ReactNode }) {
  return (
    <p
      role="status"
      className={`flex items-start gap-2 rounded-lg p-3 ${good ? 'bg-accent-soft' : 'bg-warn-soft text-warn'}`}
    >
      <span aria-hidden="true">{good ? '✓' : '!'}</span>
      <span className="min-w-0 flex-1">{children}</span>
    </p>
  )
}
