import type { ReactNode } from 'react'
import { useFormatter, useNow } from 'use-intl'

/** A phone number is written from left to right in any text. */
export function Phone({ value }: { value: string }) {
  return (
    <bdi dir="ltr" className="tabular-nums">
      {national(value)}
    </bdi>
  )
}

/** Israeli numbers as they are dialled, others with their country code. */
export function national(value: string): string {
  const israeli = /^\+972(\d{1,2})(\d{3})(\d{4})$/.exec(value)
  return israeli ? `0${israeli[1]}-${israeli[2]}-${israeli[3]}` : value
}

/** How long ago, and exactly when on hover. */
export function Ago({ at, className = '' }: { at: string; className?: string }) {
  const format = useFormatter()
  const now = useNow({ updateInterval: 30_000 })
  const date = new Date(at)
  const isOld = now.getTime() - date.getTime() > 6 * 24 * 3_600_000
  return (
    <time dateTime={at} title={format.dateTime(date, { dateStyle: 'full', timeStyle: 'medium' })} className={className}>
      {isOld ? format.dateTime(date, { dateStyle: 'short' }) : format.relativeTime(date, now)}
    </time>
  )
}

export function Clock({ at, className = '' }: { at: string; className?: string }) {
  const format = useFormatter()
  const date = new Date(at)
  return (
    <time dateTime={at} title={format.dateTime(date, { dateStyle: 'full', timeStyle: 'medium' })} className={className}>
      {format.dateTime(date, { timeStyle: 'short' })}
    </time>
  )
}

/** The size of a file. */
export function Bytes({ value }: { value: number }) {
  const format = useFormatter()
  const inMegabytes = value >= 1_000_000
  return (
    <bdi className="text-muted tabular-nums">
      {format.number(inMegabytes ? value / 1_000_000 : Math.max(1, value / 1_000), {
        style: 'unit',
        unit: inMegabytes ? 'megabyte' : 'kilobyte',
        maximumFractionDigits: inMegabytes ? 1 : 0,
      })}
    </bdi>
  )
}

/** Milliseconds as seconds with one digit behind the point, as text. */
export function useSeconds(): (ms: number) => string {
  const format = useFormatter()
  return (ms) => format.number(ms / 1000, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
}

/** Milliseconds as minutes and seconds. */
export function Duration({ ms }: { ms: number }) {
  const seconds = Math.round(ms / 1000)
  return (
    <bdi dir="ltr" className="tabular-nums">
      {Math.floor(seconds / 60)}:{String(seconds % 60).padStart(2, '0')}
    </bdi>
  )
}

/** An amount in the smallest unit of its currency. */
export function Money({ amount, currency }: { amount: number; currency: string }) {
  const format = useFormatter()
  return <bdi className="tabular-nums">{format.number(amount / 100, { style: 'currency', currency })}</bdi>
}

/** What other people wrote, as plain text: each line in the direction of its own language. */
export const Written = ({ children, className = '' }: { children: ReactNode; className?: string }) => (
  <span
    dir="auto"
    className={`whitespace-pre-wrap break-words [overflow-wrap:anywhere] [unicode-bidi:plaintext] ${className}`}
  >
    {children}
  </span>
)
