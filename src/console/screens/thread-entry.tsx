import { Link } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { Icon } from '../ui/icon.tsx'
import { Clock, Duration, Money, Written } from '../ui/values.tsx'
import type { Entry, EntryActions } from './entry.ts'
import { MessageBubble } from './message-bubble.tsx'
import { ThreadNote } from './thread-note.tsx'

/** Each kind of entry has its own look. */
export function EntryView({ entry, contactId, ...actions }: { entry: Entry; contactId: string } & EntryActions) {
  const t = useTranslations()
  if (entry.kind === 'message') return <MessageBubble message={entry.data} id={entry.id} at={entry.at} {...actions} />
  const card = 'w-full max-w-md self-center rounded-xl border border-line bg-raised px-4 py-2 text-sm'
  if (entry.kind === 'call')
    return (
      <Link
        to="/calls/$callId"
        params={{ callId: entry.id }}
        className={`${card} flex items-center gap-3 hover:border-accent`}
      >
        <Icon name="phone" />
        <span className="flex-1">
          {entry.data.answeredBy === 'voicemail' ? t('call.voicemail') : t(`call.${entry.data.direction}`)}
        </span>
        {entry.data.durationMs !== null && <Duration ms={entry.data.durationMs} />}
        <Clock at={entry.at} className="text-muted" />
      </Link>
    )
  if (entry.kind === 'note')
    return <ThreadNote id={entry.id} at={entry.at} body={entry.data.body} contactId={contactId} />
  if (entry.kind === 'payment')
    return (
      <div className={`${card} flex items-center gap-3`}>
        <span className="min-w-0 flex-1 truncate">
          {t('entry.payment')}: <Written>{entry.data.description}</Written>
        </span>
        <Money amount={entry.data.amount} currency={entry.data.currency} />
        <span className="text-muted">{t(`money.${entry.data.state}`)}</span>
      </div>
    )
  return (
    <div className={`${card} flex items-center gap-3`}>
      <span className="flex-1">{t('entry.appointment')}</span>
      <Clock at={entry.data.startsAt} />
      <span className="text-muted">{t(`calendar.${entry.data.state}`)}</span>
    </div>
  )
}
