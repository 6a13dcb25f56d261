import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useFormatter, useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { useActions } from '../app/actions.ts'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { Icon } from '../ui/icon.tsx'
import { offerUndo } from '../ui/notice-queue.ts'
import { isolated, Phone } from '../ui/values.tsx'
import { applyConversation, type Conversation } from './inbox-data.ts'
import { ThreadAgent } from './thread-agent.tsx'
import { SnoozePopup } from './thread-snooze.tsx'

/** Whose thread it is, and what is done with the whole of it. */
export function ThreadHead({
  contactId,
  onDetails,
  onReply,
}: {
  contactId: string
  onDetails(): void
  onReply(): void
}) {
  const t = useTranslations('inbox')
  const format = useFormatter()
  const [isSnoozing, setSnoozing] = useState(false)
  const navigate = useNavigate({ from: '/inbox' })
  const contact = useQuery(query('contacts.get', { id: contactId }))
  const me = useQuery(query('account.me'))
  const found = useQuery({ ...query('conversations.list', { contactId, limit: 1 }) })
  const conversation = found.data?.items[0]
  const myId = me.data?.user?.id
  const done = {
    onSuccess: (changed: Conversation) => {
      applyConversation(changed, myId)
      return queryClient.invalidateQueries({ queryKey: ['conversations'] })
    },
  }
  const close = useMutation({ ...mutation('conversations.close'), ...done })
  const reopen = useMutation({ ...mutation('conversations.reopen'), ...done })
  const assign = useMutation({ ...mutation('conversations.assign'), ...done })
  const snooze = useMutation({ ...mutation('conversations.snooze'), ...done })
  const mark = useMutation({ ...mutation('conversations.mark'), ...done })
  const mayWork = useAccess().may('agent')
  // Who may only look reads nothing for the others.
  const unread = mayWork ? (conversation?.unread ?? 0) : 0
  const id = conversation?.id
  // biome-ignore lint/correctness/useExhaustiveDependencies: opening a conversation reads it
  useEffect(() => {
    if (id && unread > 0) mark.mutate({ id, unread: false })
  }, [id, unread])
  const closeNow = (id: string) =>
    close.mutate({ id }, { onSuccess: () => offerUndo(t('closedNow'), () => reopen.mutate({ id })) })
  const snoozeUntil = (id: string, until: Date) => {
    const at = format.dateTime(until, { dateStyle: 'medium', timeStyle: 'short' })
    const undo = () => reopen.mutate({ id })
    snooze.mutate({ id, until: until.toISOString() }, { onSuccess: () => offerUndo(t('snoozedNow', { at }), undo) })
  }
  const assignNow = (conversation: Conversation) => {
    if (myId) assignTo(conversation, conversation.assigneeId === myId ? null : myId)
  }
  const assignTo = ({ id, assigneeId }: Conversation, next: string | null) => {
    const undo = () => assign.mutate({ id, assigneeId })
    assign.mutate(
      { id, assigneeId: next },
      {
        onSuccess: () =>
          offerUndo(t(next === null ? 'unassignedNow' : next === myId ? 'assignedNow' : 'assignedOther'), undo),
      },
    )
  }
  const commands = useTranslations('commands')
  useActions([
    ...(mayWork ? [{ id: 'reply', label: commands('reply'), key: 'KeyR', run: onReply }] : []),
    ...(conversation && mayWork
      ? [
          conversation.status === 'closed'
            ? { id: 'reopen', label: t('reopen'), key: 'KeyE', run: () => reopen.mutate({ id: conversation.id }) }
            : { id: 'close', label: t('close'), key: 'KeyE', run: () => closeNow(conversation.id) },
          { id: 'snooze', label: t('snooze'), key: 'KeyS', run: () => setSnoozing(true) },
          ...(myId
            ? [
                {
                  id: 'assign',
                  label: conversation.assigneeId === myId ? t('unassign') : t('assignMe'),
                  key: 'KeyA',
                  run: () => assignNow(conversation),
                },
              ]
            : []),
        ]
      : []),
    { id: 'details', label: t('details'), key: 'KeyD', run: onDetails },
  ])
  return (
    <>
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
        {conversation && mayWork && (
          <div className="order-last flex w-full flex-wrap gap-1 md:order-none md:w-auto">
            {myId && (
              <Act look="quiet" onPress={() => assignNow(conversation)}>
                {conversation.assigneeId === myId ? t('unassign') : t('assignMe')}
              </Act>
            )}
            <Assignee value={conversation.assigneeId} myId={myId} onChange={(next) => assignTo(conversation, next)} />
            <Act look="quiet" aria-haspopup="dialog" onPress={() => setSnoozing(true)}>
              {t('snooze')}
            </Act>
            {conversation.status === 'closed' ? (
              <Act onPress={() => reopen.mutate({ id: conversation.id })}>{t('reopen')}</Act>
            ) : (
              <Act onPress={() => closeNow(conversation.id)}>{t('close')}</Act>
            )}
          </div>
        )}
        <Act look="quiet" aria-label={t('details')} onPress={onDetails}>
          <Icon name="people" />
        </Act>
        {isSnoozing && conversation && (
          <SnoozePopup onChoose={(until) => snoozeUntil(conversation.id, until)} onClose={() => setSnoozing(false)} />
        )}
        <Problem error={assign.error ?? snooze.error ?? close.error ?? reopen.error ?? mark.error} />
      </header>
      {conversation && <ThreadAgent conversationId={conversation.id} />}
    </>
  )
}

/** Who takes care of it, chosen among all members. Alone in a business there is no one to choose. */
function Assignee({
  value,
  myId,
  onChange,
}: {
  value: string | null
  myId: string | undefined
  onChange(next: string | null): void
}) {
  const t = useTranslations('inbox')
  const members = useQuery(query('members.list', { limit: 200 }))
  const items = members.data?.items ?? []
  if (items.every(({ userId }) => userId === myId)) return null
  return (
    <select
      aria-label={t('assignee')}
      value={value ?? ''}
      onChange={({ target }) => onChange(target.value || null)}
      className="max-w-40 rounded-lg border border-line bg-surface px-2 py-1 text-sm"
    >
      <option value="">{t('unassignedTo')}</option>
      {items.map(({ userId, name, email }) => (
        <option key={userId} value={userId}>
          {isolated(name || email)}
        </option>
      ))}
    </select>
  )
}
