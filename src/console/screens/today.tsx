import { useIsFetching, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { query } from '../app/trpc.ts'
import { dayRange } from '../ui/days.ts'
import { Heading } from '../ui/states.tsx'
import { TodayLists } from './today-lists.tsx'

/** What waits for a person, the most urgent first: every line leads to its place, and is done with one press. */
export function Today() {
  const t = useTranslations('today')
  const timeZone = useTimeZone()
  const today = useMemo(() => dayRange(new Date(), timeZone), [timeZone])
  const isReading = useIsFetching() > 0
  return (
    <>
      <Heading>{t('title')}</Heading>
      <div className="min-h-0 flex-1 overflow-y-auto p-4">
        <div className="group/today columns-1 gap-4 md:columns-2 xl:columns-3 [&>*]:mb-4 [&>*]:break-inside-avoid">
          <Overnight />
          {!isReading && (
            <p className="rounded-xl border border-line bg-surface p-4 group-has-[[data-waiting]]/today:hidden">
              {t('nothing')}
            </p>
          )}
          <TodayLists today={today} />
        </div>
      </div>
    </>
  )
}

/** What the agent did since the business closed. */
function Overnight() {
  const t = useTranslations('today')
  const format = useFormatter()
  const night = useQuery(query('receptionist.overnight'))
  if (!night.data) return null
  const { since, ...counts } = night.data
  const lines = [
    { to: '/calls', text: t('answered', { answered: counts.answered, calls: counts.calls }) },
    { to: '/calls', text: t('leftVoicemails', { count: counts.voicemails }) },
    { to: '/leads', text: t('madeLeads', { count: counts.leads }) },
    { to: '/inbox', text: t('cameMessages', { count: counts.messages }) },
  ] as const
  return (
    <section aria-labelledby="overnight" className="rounded-xl border border-line bg-surface p-4">
      <h2 id="overnight" className="font-semibold">
        {t('overnight')}
      </h2>
      <p className="mb-2 text-muted text-sm">
        {t('since', { at: format.dateTime(new Date(since), { dateStyle: 'short', timeStyle: 'short' }) })}
      </p>
      <ul>
        {lines.map(({ to, text }) => (
          <li key={text}>
            <Link to={to} className="block rounded-lg px-2 py-1 hover:bg-raised">
              {text}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  )
}
