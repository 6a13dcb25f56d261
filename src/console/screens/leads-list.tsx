import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useFormatter, useTranslations } from 'use-intl'
import { pages } from '../app/trpc.ts'
import { MoreRow } from '../ui/more.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Ago, Money, Phone, Written } from '../ui/values.tsx'
import type { Stage } from './lead-types.ts'

export type LeadFilter = { stage?: string | undefined; since?: string | undefined; until?: string | undefined }

/** The leads of a stage, or made in a time: where a number of the statistics led. */
export function LeadsList({
  filter,
  stages,
  onOpen,
}: {
  filter: LeadFilter
  stages: Stage[]
  onOpen(id: string): void
}) {
  const t = useTranslations()
  const format = useFormatter()
  const list = useInfiniteQuery(pages('leads.list', { ...filter, limit: 50 }))
  const leads = list.data?.pages.flatMap(({ items }) => items) ?? []
  const date = (at: string) => format.dateTime(new Date(at), { dateStyle: 'short', timeStyle: 'short' })
  const nameOf = (key: string) => stages.find((stage) => stage.key === key)?.name ?? key
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <p className="flex flex-wrap items-center gap-x-2 px-4 py-2 text-muted text-sm">
        {t('lead.filtered')}
        {filter.stage && <bdi className="font-medium">{nameOf(filter.stage)}</bdi>}
        {filter.since && <bdi>{`${date(filter.since)} – ${filter.until ? date(filter.until) : ''}`}</bdi>}
        <Link to="/leads" className="text-accent underline">
          {t('lead.toBoard')}
        </Link>
      </p>
      <Loaded of={list}>
        {() =>
          leads.length === 0 ? (
            <Empty>{t('lead.noneFound')}</Empty>
          ) : (
            <ul aria-label={t('lead.title')}>
              {leads.map((lead) => (
                <li key={lead.id}>
                  <button
                    type="button"
                    onClick={() => onOpen(lead.id)}
                    className="flex w-full items-center gap-3 border-line border-b px-4 py-3 text-start hover:bg-raised"
                  >
                    <span className="min-w-0 flex-1">
                      <span className="block truncate">
                        {(lead.name ?? lead.contactName) ? (
                          <bdi>{lead.name ?? lead.contactName}</bdi>
                        ) : lead.phone ? (
                          <Phone value={lead.phone} />
                        ) : (
                          '—'
                        )}
                      </span>
                      {lead.inquiry && <Written className="line-clamp-1 text-muted text-sm">{lead.inquiry}</Written>}
                    </span>
                    {lead.valueAgorot !== null && <Money amount={lead.valueAgorot} currency="ILS" />}
                    <bdi className="rounded-full bg-raised px-2 text-sm">{nameOf(lead.stage)}</bdi>
                    <Ago at={lead.createdAt} className="text-muted text-sm" />
                  </button>
                </li>
              ))}
              <MoreRow of={list} />
            </ul>
          )
        }
      </Loaded>
    </div>
  )
}
