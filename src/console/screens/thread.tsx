import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useEffect, useLayoutEffect, useRef } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, pages, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { Icon } from '../ui/icon.tsx'
import { Loaded } from '../ui/states.tsx'
import { Clock, Duration, Money, Phone, Written } from '../ui/values.tsx'
import { Composer } from './composer.tsx'
import type { Entry } from './entry.ts'
import { MessageBubble } from './message-bubble.tsx'

/** Everything that happened with a contact, the newest at the bottom. */
export function Thread({ contactId, onDetails }: { contactId: string; onDetails(): void }) {
  const t = useTranslations('inbox')
  const timeline = useInfiniteQuery(pages('conversations.timeline', { contactId, limit: 50 }))
  const items = (timeline.data?.pages.flatMap((page) => page.items) ?? []).toReversed()
  const box = useRef<HTMLDivElement>(null)
  const newest = items.at(-1)?.id
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new last entry is what scrolls
  useLayoutEffect(() => {
    box.current?.scrollTo({ top: box.current.scrollHeight })
  }, [newest])
  return (
    <>
      <ThreadHead contactId={contactId} onDetails={onDetails} />
      <div
        ref={box}
        className="min-h-0 flex-1 overflow-y-auto p-3 md:p-5"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by the keyboard
        tabIndex={0}
        role="log"
        aria-label={t('thread')}
      >
        <Loaded of={timeline}>
          {() => (
            <ol className="flex flex-col gap-2">
              {timeline.hasNextPage && (
                <li className="self-center">
                  <Act look="quiet" onPress={() => void timeline.fetchNextPage()}>
                    {t('older')}
                  </Act>
                </li>
              )}
              {items.map((entry) => (
                <li key={`${entry.kind}${entry.id}`} className="flex flex-col">
                  <EntryView entry={entry} />
                </li>
              ))}
            </ol>
          )}
        </Loaded>
      </div>
      <Composer contactId={contactId} items={items} />
    </>
  )
}

function ThreadHead({ contactId, onDetails }: { contactId: string; onDetails(): void }) {
  const t = useTranslations('inbox')
  const navigate = useNavigate({ from: '/inbox' })
  const contact = useQuery(query('contacts.get', { id: contactId }))
  const me = useQuery(query('account.me'))
  const found = useQuery({ ...query('conversations.list', { contactId, limit: 1 }) })
  const conversation = found.data?.items[0]
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['conversations'] }) }
  const close = useMutation({ ...mutation('conversations.close'), ...done })
  const reopen = useMutation({ ...mutation('conversations.reopen'), ...done })
  const assign = useMutation({ ...mutation('conversations.assign'), ...done })
  const snooze = useMutation({ ...mutation('conversations.snooze'), ...done })
  const mark = useMutation({ ...mutation('conversations.mark'), ...done })
  const unread = conversation?.unread ?? 0
  const id = conversation?.id
  // biome-ignore lint/correctness/useExhaustiveDependencies: opening a conversation reads it
  useEffect(() => {
    if (id && unread > 0) mark.mutate({ id, unread: false })
  }, [id, unread])
  const myId = me.data?.user?.id
  return (
    <header className="flex min-h-14 flex-wrap items-center gap-2 border-line border-b bg-surface px-3 py-2">
      <Act
        look="quiet"
        className="md:hidden"
        aria-label={t('back')}
        onPress={() => void navigate({ search: (old) => ({ ...old, contact: undefined }) })}
      >
        <Icon name="back" />
      </Act>
      <h2 className="min-w-0 flex-1 truncate font-semibold text-lg">
        {contact.data?.name ? (
          <bdi>{contact.data.name}</bdi>
        ) : contact.data?.phone ? (
          <Phone value={contact.data.phone} />
        ) : null}
      </h2>
      {conversation && (
        <div className="order-last flex w-full flex-wrap gap-1 md:order-none md:w-auto">
          {myId && (
            <Act
              look="quiet"
              onPress={() =>
                assign.mutate({ id: conversation.id, assigneeId: conversation.assigneeId === myId ? null : myId })
              }
            >
              {conversation.assigneeId === myId ? t('unassign') : t('assignMe')}
            </Act>
          )}
          <Act look="quiet" onPress={() => snooze.mutate({ id: conversation.id, until: tomorrow() })}>
            {t('snooze')}
          </Act>
          {conversation.status === 'closed' ? (
            <Act onPress={() => reopen.mutate({ id: conversation.id })}>{t('reopen')}</Act>
          ) : (
            <Act onPress={() => close.mutate({ id: conversation.id })}>{t('close')}</Act>
          )}
        </div>
      )}
      <Act look="quiet" aria-label={t('details')} onPress={onDetails}>
        <Icon name="people" />
      </Act>
      <Problem error={assign.error ?? snooze.error ?? close.error ?? reopen.error ?? mark.error} />
    </header>
  )
}

/** Tomorrow at nine, as the browser's clock has it. */
function tomorrow(): string {
  const at = new Date()
  at.setDate(at.getDate() + 1)
  at.setHours(9, 0, 0, 0)
  return at.toISOString()
}

function EntryView({ entry }: { entry: Entry }) {
  const t = useTranslations()
  if (entry.kind === 'message') return <MessageBubble message={entry.data} id={entry.id} at={entry.at} />
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
    return (
      <div className={`${card} border-warn bg-warn-soft`}>
        <strong className="me-2">{t('entry.note')}</strong>
        <Written>{entry.data.body}</Written>
      </div>
    )
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
