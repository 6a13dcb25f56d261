import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useFormatter, useTranslations } from 'use-intl'
import { CALL_OUTCOMES } from '../app/outcomes.ts'
import { pages } from '../app/trpc.ts'
import { Icon } from '../ui/icon.tsx'
import { MoreRow } from '../ui/more.tsx'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { Ago, Duration, Phone } from '../ui/values.tsx'

const route = getRouteApi('/calls')

export function Calls() {
  const t = useTranslations()
  const filters = route.useSearch()
  const list = useInfiniteQuery(pages('calls.list', { ...filters, limit: 50 }))
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <>
      <Heading aside={<CallFilters />}>{t('call.list')}</Heading>
      <div className="min-h-0 flex-1 overflow-y-auto">
        <Loaded of={list}>
          {() =>
            items.length === 0 ? (
              <Empty icon="phone">{t('call.empty')}</Empty>
            ) : (
              <ul>
                {items.map((call) => (
                  <li key={call.id}>
                    <Link
                      to="/calls/$callId"
                      params={{ callId: call.id }}
                      className="flex items-center gap-3 border-line border-b px-4 py-3 hover:bg-raised"
                    >
                      <Icon name="phone" className={call.state === 'live' ? 'text-accent' : 'text-muted'} />
                      <span className="min-w-0 flex-1">
                        <span className="block truncate">
                          {call.contactName ? <bdi>{call.contactName}</bdi> : <Phone value={call.from} />}
                        </span>
                        <span className="block text-muted text-sm">
                          {call.state === 'ended'
                            ? t(call.answeredBy === 'voicemail' ? 'call.voicemail' : 'call.agent')
                            : t(`call.${call.state}`)}
                        </span>
                      </span>
                      {call.durationMs !== null && <Duration ms={call.durationMs} />}
                      <Ago at={call.startedAt} className="text-muted text-sm" />
                    </Link>
                  </li>
                ))}
                <MoreRow of={list} />
              </ul>
            )
          }
        </Loaded>
      </div>
    </>
  )
}

/** What is shown, when it is not everything: chosen here, or where a number of the statistics led. */
function CallFilters() {
  const t = useTranslations('stats')
  const { outcome, hour, since, until } = route.useSearch()
  const navigate = useNavigate({ from: '/calls' })
  const format = useFormatter()
  const date = (at: string) => format.dateTime(new Date(at), { dateStyle: 'short', timeStyle: 'short' })
  const isFiltered = outcome ?? hour ?? since ?? until
  return (
    <>
      <select
        aria-label={t('outcomeIs')}
        value={outcome ?? ''}
        onChange={(event) => {
          const chosen = CALL_OUTCOMES.find((each) => each === event.target.value)
          void navigate({ search: (old) => ({ ...old, outcome: chosen }) })
        }}
        className="rounded-lg border border-line bg-page px-2 py-1"
      >
        <option value="">{t('anyOutcome')}</option>
        {CALL_OUTCOMES.map((each) => (
          <option key={each} value={each}>
            {t(each)}
          </option>
        ))}
      </select>
      {isFiltered !== undefined && (
        <span className="flex flex-wrap items-center gap-x-2 text-muted text-sm">
          {t('filtered')}
          {since && <bdi>{`${date(since)} – ${until ? date(until) : ''}`}</bdi>}
          {hour !== undefined && <bdi dir="ltr">{`${String(hour).padStart(2, '0')}:00`}</bdi>}
          <Link to="/calls" className="text-accent underline">
            {t('showAll')}
          </Link>
        </span>
      )}
    </>
  )
}
