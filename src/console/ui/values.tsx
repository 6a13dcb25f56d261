import { type MouseEvent, memo, type ReactNode, useSyncExternalStore } from 'react'
import { useFormatter, useTranslations } from 'use-intl'

/** A phone number is written from left to right in any text. */
export function Phone({ value }: { value: string }) {
  return (
    <bdi dir="ltr" className="whitespace-nowrap tabular-nums">
      {national(value)}
    </bdi>
  )
}

/** Israeli numbers as they are dialled, others with their country code. */
export function national(value: string): string {
  const israeli = /^\+972(\d{1,2})(\d{3})(\d{4})$/.exec(value)
  return israeli ? `0${israeli[1]}-${israeli[2]}-${israeli[3]}` : value
}

/** Hebrew without the vowel points that are written for the voice. */
export const withoutPoints = (text: string) => text.replace(/[\u0591-\u05BD\u05BF-\u05C7]/g, '')

/** Hebrew says "a minute ago"; some browsers add the number, as in "(1)". */
const withoutOne = (text: string) => text.replace(/ \([\u200e\u200f]?1\)$/, '')

const NOW_EVERY_MS = 30_000
let now = Date.now()
let timer: ReturnType<typeof setInterval> | undefined
const watchers = new Set<() => void>()

/** One clock for all: a timer for each row of a list costs more than the row. */
function watchNow(watcher: () => void): () => void {
  watchers.add(watcher)
  timer ??= setInterval(() => {
    now = Date.now()
    for (const each of watchers) each()
  }, NOW_EVERY_MS)
  return () => {
    watchers.delete(watcher)
    if (watchers.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

function readNow(): number {
  // Nothing kept it up to date while no time was shown.
  if (timer === undefined && Date.now() - now > NOW_EVERY_MS) now = Date.now()
  return now
}

/** How long ago, and exactly when on hover. Its exact text is only written once it is asked for: lists show many. */
export const Ago = memo(function Ago({ at, className = '' }: { at: string; className?: string }) {
  const t = useTranslations('state')
  const format = useFormatter()
  const now = useSyncExternalStore(watchNow, readNow)
  const date = new Date(at)
  // The server's clock may be ahead, and `now` is read only from time to time: nothing happened in the future.
  const since = new Date(Math.max(now, date.getTime()))
  const isOld = now - date.getTime() > 6 * 24 * 3_600_000
  const writeExactly = ({ currentTarget }: MouseEvent<HTMLElement>) => {
    currentTarget.title = format.dateTime(date, { dateStyle: 'full', timeStyle: 'medium' })
  }
  return (
    <time dateTime={at} onMouseEnter={writeExactly} className={className}>
      {isOld
        ? format.dateTime(date, { dateStyle: 'short' })
        : since.getTime() - date.getTime() < 60_000
          ? t('justNow')
          : withoutOne(format.relativeTime(date, since))}
    </time>
  )
})

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

/** What people wrote, within a sentence of ours that is plain text: it keeps its own direction (Unicode's FSI and PDI). */
export const isolated = (text: string) => `\u2068${text}\u2069`

/** What other people wrote, as plain text: each line in the direction of its own language. */
export const Written = ({ children, className = '' }: { children: ReactNode; className?: string }) => (
  <span
    dir="auto"
    className={`whitespace-pre-wrap break-words [overflow-wrap:anywhere] [unicode-bidi:plaintext] ${className}`}
  >
    {children}
  </span>
)
