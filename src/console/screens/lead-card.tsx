import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type KeyboardEvent, useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { useLocale } from '../app/i18n.tsx'
import { query } from '../app/trpc.ts'
import { Ago, isolated, Money, Phone, Written } from '../ui/values.tsx'
import { type Column, type Lead, type LeadPlace, placeBeside } from './lead-types.ts'

/** A lead on the board. Arrows choose another place, Enter moves it there, Escape leaves it; Enter alone opens it. */
export function LeadCard({
  lead,
  columns,
  onMove,
  onOpen,
  onAim,
}: {
  lead: Lead
  columns: Column[]
  onMove(place: LeadPlace): void
  onOpen(): void
  onAim(text: string | null): void
}) {
  const t = useTranslations('lead')
  const { locale } = useLocale()
  const name = lead.name ?? lead.contactName
  const mayMove = useAccess().may('agent')
  const [place, setPlace] = useState<LeadPlace | null>(null)
  const members = useQuery(query('members.list', { limit: 200 }))
  const owner = members.data?.items.find(({ userId }) => userId === lead.ownerId)
  const write = (to: LeadPlace) => {
    const column = columns.find(({ stage }) => stage.key === to.stage)
    const after = column?.items.find(({ id }) => id === to.afterId)
    return t('aimed', {
      stage: isolated(column?.stage.name ?? ''),
      after: after ? isolated(after.name ?? after.contactName ?? after.phone ?? '') : 'top',
    })
  }
  const aim = (to: LeadPlace | null) => {
    setPlace(to)
    onAim(to && `${write(to)} ${t('aimKeys')}`)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (!mayMove) return
    const forward = locale === 'he' ? 'ArrowLeft' : 'ArrowRight'
    const backward = locale === 'he' ? 'ArrowRight' : 'ArrowLeft'
    const steps = { ArrowUp: 'up', ArrowDown: 'down', [forward]: 'next', [backward]: 'previous' } as const
    const step = steps[event.key as keyof typeof steps]
    if (step) aim(placeBeside(columns, lead.id, place ?? placeOf(columns, lead), step))
    else if (event.key === 'Escape' && place) aim(null)
    else if (event.key === 'Enter' && place) {
      onMove(place)
      aim(null)
    } else return
    event.preventDefault()
  }
  return (
    <li
      draggable={mayMove}
      data-lead={lead.id}
      onDragStart={(event) => event.dataTransfer.setData('text/plain', lead.id)}
      className={`flex flex-col gap-1 rounded-lg border border-line bg-surface p-3 shadow-sm ${place ? 'ring-2 ring-accent' : ''}`}
    >
      <button
        type="button"
        onClick={onOpen}
        onKeyDown={onKeyDown}
        onBlur={() => place && aim(null)}
        aria-description={mayMove ? t('cardKeys') : undefined}
        className="truncate text-start font-bold"
      >
        {name ? <bdi>{name}</bdi> : lead.phone ? <Phone value={lead.phone} /> : t('noName')}
      </button>
      {place && <strong className="text-accent text-sm">{write(place)}</strong>}
      {lead.inquiry && <Written className="line-clamp-3 text-sm">{lead.inquiry}</Written>}
      {lead.callbackTime && (
        <span className="text-sm text-warn">
          {t('callback')} <Written>{lead.callbackTime}</Written>
        </span>
      )}
      <span className="flex justify-between gap-2 text-muted text-sm">
        <Ago at={lead.createdAt} />
        {owner && <bdi className="truncate">{owner.name || owner.email}</bdi>}
        {lead.valueAgorot !== null && <Money amount={lead.valueAgorot} currency="ILS" />}
      </span>
      <span className="flex items-center gap-2">
        <select
          aria-label={t('move')}
          disabled={!mayMove}
          value={lead.stage}
          onChange={({ target }) => onMove({ stage: target.value, afterId: null })}
          className="min-w-0 flex-1 rounded-lg border border-line bg-surface px-2 py-1 text-sm"
        >
          {columns.map(({ stage }) => (
            <option key={stage.key} value={stage.key}>
              {isolated(stage.name)}
            </option>
          ))}
        </select>
        {lead.contactId && (
          <Link to="/inbox" search={{ view: 'all', contact: lead.contactId }} className="text-sm underline">
            {t('open')}
          </Link>
        )}
      </span>
    </li>
  )
}

function placeOf(columns: Column[], lead: Lead): LeadPlace {
  const items = columns.find(({ stage }) => stage.key === lead.stage)?.items ?? []
  return { stage: lead.stage, afterId: items[items.findIndex(({ id }) => id === lead.id) - 1]?.id ?? null }
}
