import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useFormatter, useTranslations } from 'use-intl'
import { CALL_OUTCOMES } from '../app/outcomes.ts'
import { type Out, pages, query } from '../app/trpc.ts'
import { AsTable, Bar, Columns, Lines, SERIES_COLORS } from '../ui/chart.tsx'
import { MoreRow } from '../ui/more.tsx'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { Ago, Phone, Written } from '../ui/values.tsx'

const route = getRouteApi('/stats')
const PERIODS = [7, 30, 90] as const
const SHOWN = ['answered', 'voicemail', 'transferred', 'abandoned', 'failed'] as const
const STATUSES = ['received', 'queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown'] as const
type CallStats = Out<'stats.calls'>
const LINK = 'underline decoration-muted underline-offset-2'

/** How the business did: every number leads to what it counts. */
export function Stats() {
  const t = useTranslations('stats')
  const { days } = route.useSearch()
  const calls = useQuery(query('stats.calls', { days }))
  return (
    <>
      <Heading
        aside={
          <nav aria-label={t('period')} className="flex gap-1">
            {PERIODS.map((each) => (
              <Link
                key={each}
                to="/stats"
                search={{ days: each }}
                activeOptions={{ includeSearch: false }}
                aria-current={each === days ? 'page' : undefined}
                className={`rounded-full px-3 py-1 ${each === days ? 'bg-accent-soft' : 'text-muted hover:bg-raised'}`}
              >
                {t('days', { count: String(each) })}
              </Link>
            ))}
          </nav>
        }
      >
        {t('title')}
      </Heading>
      <div className="min-h-0 flex-1 overflow-y-auto p-4">
        <div className="grid gap-4 lg:grid-cols-2">
          <Loaded of={calls}>
            {(data) => (
              <>
                <Totals stats={data} />
                <ByDay stats={data} />
                <ByHour stats={data} />
                <Latency stats={data} />
              </>
            )}
          </Loaded>
          <Funnel days={days} />
          <MessageStates days={days} />
        </div>
      </div>
    </>
  )
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex min-w-0 flex-col gap-3 rounded-xl border border-line bg-surface p-4">
      <h2 className="font-semibold">{title}</h2>
      {children}
    </section>
  )
}

function Totals({ stats }: { stats: CallStats }) {
  const t = useTranslations('stats')
  const format = useFormatter()
  const { outcomes, since, total } = stats
  const tile = 'flex flex-col rounded-lg border border-line p-3 hover:bg-raised'
  return (
    <div className="lg:col-span-2">
      <Card title={t('calls')}>
        <ul className="grid grid-cols-2 gap-3 sm:grid-cols-4 lg:grid-cols-8">
          <li>
            <Link to="/calls" search={{ since }} className={tile}>
              <span className="text-2xl">{format.number(total)}</span>
              <span className="text-muted text-sm">{t('all')}</span>
            </Link>
          </li>
          {CALL_OUTCOMES.filter((outcome) => outcome !== 'live' || (outcomes.live ?? 0) > 0).map((outcome) => (
            <li key={outcome}>
              <Link to="/calls" search={{ since, outcome }} className={tile}>
                <span className="text-2xl">{format.number(outcomes[outcome] ?? 0)}</span>
                <span className="text-muted text-sm">{t(outcome)}</span>
              </Link>
            </li>
          ))}
          <li>
            <Link to="/calls" search={{ since }} className={tile}>
              <span className="text-2xl">{format.number(Math.ceil(stats.seconds / 60))}</span>
              <span className="text-muted text-sm">{t('minutes')}</span>
            </Link>
          </li>
          <li>
            <Link to="/settings" search={{ part: 'usage' }} className={tile}>
              <bdi className="text-2xl">
                {format.number(stats.costMicroUsd / 1_000_000, { style: 'currency', currency: 'USD' })}
              </bdi>
              <span className="text-muted text-sm">{t('cost')}</span>
            </Link>
          </li>
        </ul>
      </Card>
    </div>
  )
}

function Legend() {
  const t = useTranslations('stats')
  return (
    <ul className="flex flex-wrap gap-x-4 gap-y-1 text-sm">
      {SHOWN.map((outcome, at) => (
        <li key={outcome} className="flex items-center gap-1.5">
          <svg aria-hidden="true" viewBox="0 0 10 10" className="size-3">
            <rect width="10" height="10" className={SERIES_COLORS[at]} />
          </svg>
          {t(outcome)}
        </li>
      ))}
    </ul>
  )
}

function ByDay({ stats }: { stats: CallStats }) {
  const t = useTranslations('stats')
  const format = useFormatter()
  const dayName = (from: string) => format.dateTime(new Date(from), { day: 'numeric', month: 'numeric' })
  return (
    <Card title={t('byDay')}>
      <Columns
        columns={stats.days.map(({ from, outcomes }) => ({
          label: dayName(from),
          parts: SHOWN.map((outcome) => outcomes[outcome] ?? 0),
        }))}
      />
      <Legend />
      <AsTable
        label={t('byDay')}
        head={[t('day'), ...SHOWN.map((outcome) => t(outcome))]}
        rows={stats.days.toReversed().map(({ day, from, to, outcomes }) => ({
          key: day,
          cells: [
            <Link key="day" to="/calls" search={{ since: from, until: to }} className={LINK}>
              {dayName(from)}
            </Link>,
            ...SHOWN.map((outcome) => (
              <Link key={outcome} to="/calls" search={{ since: from, until: to, outcome }} className={LINK}>
                {format.number(outcomes[outcome] ?? 0)}
              </Link>
            )),
          ],
        }))}
      />
    </Card>
  )
}

function ByHour({ stats }: { stats: CallStats }) {
  const t = useTranslations('stats')
  const format = useFormatter()
  const { since } = stats
  const hourName = (hour: number) => `${String(hour).padStart(2, '0')}:00`
  return (
    <Card title={t('byHour')}>
      <Columns
        columns={stats.hours.map(({ hour, outcomes }) => ({
          label: hourName(hour),
          parts: SHOWN.map((outcome) => outcomes[outcome] ?? 0),
        }))}
      />
      <AsTable
        label={t('byHour')}
        head={[t('hour'), ...SHOWN.map((outcome) => t(outcome))]}
        rows={stats.hours.map(({ hour, outcomes }) => ({
          key: String(hour),
          cells: [
            <Link key="hour" to="/calls" search={{ since, hour }} className={LINK}>
              <bdi dir="ltr">{hourName(hour)}</bdi>
            </Link>,
            ...SHOWN.map((outcome) => (
              <Link key={outcome} to="/calls" search={{ since, hour, outcome }} className={LINK}>
                {format.number(outcomes[outcome] ?? 0)}
              </Link>
            )),
          ],
        }))}
      />
    </Card>
  )
}

function Latency({ stats }: { stats: CallStats }) {
  const t = useTranslations('stats')
  const format = useFormatter()
  const seconds = (ms: number | null) =>
    ms === null ? '–' : format.number(ms / 1_000, { style: 'unit', unit: 'second', maximumFractionDigits: 2 })
  const dayName = (from: string) => format.dateTime(new Date(from), { day: 'numeric', month: 'numeric' })
  return (
    <Card title={t('latency')}>
      <p className="text-muted text-sm">{t('latencyIntro')}</p>
      <dl className="flex gap-8">
        <div>
          <dt className="text-muted text-sm">{t('p50')}</dt>
          <dd className="text-2xl">
            <Link to="/calls" search={{ since: stats.since, outcome: 'answered' }} className={LINK}>
              {seconds(stats.latency.p50Ms)}
            </Link>
          </dd>
        </div>
        <div>
          <dt className="text-muted text-sm">{t('p95')}</dt>
          <dd className="text-2xl">
            <Link to="/calls" search={{ since: stats.since, outcome: 'answered' }} className={LINK}>
              {seconds(stats.latency.p95Ms)}
            </Link>
          </dd>
        </div>
      </dl>
      <Lines
        labels={stats.days.map(({ from }) => dayName(from))}
        lines={[stats.days.map(({ p50Ms }) => p50Ms), stats.days.map(({ p95Ms }) => p95Ms)]}
      />
      <AsTable
        label={t('latency')}
        head={[t('day'), t('p50'), t('p95')]}
        rows={stats.days.toReversed().map(({ day, from, to, p50Ms, p95Ms }) => ({
          key: day,
          cells: [
            <Link key="day" to="/calls" search={{ since: from, until: to }} className={LINK}>
              {dayName(from)}
            </Link>,
            ...[p50Ms, p95Ms].map((ms, at) => (
              <Link key={at === 0 ? 'p50' : 'p95'} to="/calls" search={{ since: from, until: to }} className={LINK}>
                {seconds(ms)}
              </Link>
            )),
          ],
        }))}
      />
    </Card>
  )
}

function Funnel({ days }: { days: number }) {
  const t = useTranslations('stats')
  const format = useFormatter()
  const leads = useQuery(query('stats.leads', { days }))
  return (
    <Card title={t('leads')}>
      <p className="text-muted text-sm">{t('leadsIntro')}</p>
      <Loaded of={leads}>
        {({ stages, total, since }) => (
          <ul className="flex flex-col gap-1">
            {stages.map((stage) => (
              <Bar key={stage.key} share={total === 0 ? 0 : stage.leads / total}>
                <Link
                  to="/leads"
                  search={{ stage: stage.key, since }}
                  className={`relative flex flex-1 justify-between gap-2 ${LINK}`}
                >
                  <bdi>{stage.name}</bdi>
                  <span className="tabular-nums">
                    {format.number(stage.leads)}
                    {stage.valueAgorot > 0 && (
                      <bdi className="ms-2 text-muted">
                        {format.number(stage.valueAgorot / 100, { style: 'currency', currency: 'ILS' })}
                      </bdi>
                    )}
                  </span>
                </Link>
              </Bar>
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  )
}

function MessageStates({ days }: { days: number }) {
  const t = useTranslations('stats')
  const format = useFormatter()
  const { days: period, messages: wanted } = route.useSearch()
  const messages = useQuery(query('stats.messages', { days }))
  const status = STATUSES.find((each) => each === wanted)
  return (
    <Card title={t('messages')}>
      <Loaded of={messages}>
        {({ statuses, total }) => (
          <ul className="flex flex-col gap-1">
            {statuses.map((row) => (
              <Bar key={row.status} share={total === 0 ? 0 : row.messages / total}>
                <Link
                  to="/stats"
                  search={{ days: period, messages: row.status === wanted ? undefined : row.status }}
                  aria-expanded={row.status === wanted}
                  className={`relative flex flex-1 justify-between gap-2 ${LINK} ${row.status === 'failed' && row.messages > 0 ? 'text-danger' : ''}`}
                >
                  <span>{t(`status.${row.status}`)}</span>
                  <span className="tabular-nums">{format.number(row.messages)}</span>
                </Link>
              </Bar>
            ))}
          </ul>
        )}
      </Loaded>
      {status && messages.data && <MessagesOf status={status} since={messages.data.since} />}
    </Card>
  )
}

function MessagesOf({ status, since }: { status: (typeof STATUSES)[number]; since: string }) {
  const t = useTranslations('stats')
  const list = useInfiniteQuery(pages('messages.list', { status, since, limit: 20 }))
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Loaded of={list}>
      {() =>
        items.length === 0 ? (
          <Empty>{t('noMessages')}</Empty>
        ) : (
          <ul aria-label={t(`status.${status}`)} className="flex flex-col">
            {items.map((message) => (
              <li key={message.id} className="border-line border-t">
                <Link
                  to="/inbox"
                  search={{ view: 'all', contact: message.contactId }}
                  className="flex items-center gap-3 py-2 hover:bg-raised"
                >
                  <span className="shrink-0">
                    {message.contactName ? (
                      <bdi>{message.contactName}</bdi>
                    ) : (
                      message.phone && <Phone value={message.phone} />
                    )}
                  </span>
                  <Written className="line-clamp-1 min-w-0 flex-1 text-muted">{message.body}</Written>
                  <Ago at={message.createdAt} className="text-muted text-sm" />
                </Link>
              </li>
            ))}
            <MoreRow of={list} />
          </ul>
        )
      }
    </Loaded>
  )
}
