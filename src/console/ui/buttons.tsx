import type { Ref } from 'react'
import { Button, type ButtonProps } from 'react-aria-components'

const LOOKS = {
  plain: 'border border-line bg-surface hover:bg-raised',
  main: 'bg-accent text-accent-ink hover:bg-[color-mix(in_srgb,var(--color-accent)_88%,var(--color-ink))]',
  danger: 'bg-danger text-accent-ink',
  quiet: 'text-muted hover:bg-raised',
} as const

export function Act({
  look = 'plain',
  className = '',
  ...props
}: Omit<ButtonProps, 'className'> & {
  look?: keyof typeof LOOKS
  className?: string
  ref?: Ref<HTMLButtonElement>
}) {
  return (
    <Button
      {...props}
      className={`inline-flex min-h-9 items-center justify-center gap-2 rounded-lg px-3 py-1 disabled:opacity-50 ${LOOKS[look]} ${className}`}
    />
  )
}
