import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { useTranslations } from 'use-intl'
import { useActions } from '../app/actions.ts'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { Icon } from '../ui/icon.tsx'
import { offerUndo } from '../ui/notice-queue.ts'
import { Phone } from '../ui/values.tsx'
import { applyConversation, type Conversation } from './inbox-data.ts'

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
  const unread = conversation?.unread ?? 0
  const id = conversation?.id
  // biome-ignore lint/correctness/useExhaustiveDependencies: opening a conversation reads it
  useEffect(() => {
    if (id && unread > 0) mark.mutate({ id, unread: false })
  }, [id, unread])
  const closeNow = (id: string) =>
    close.mutate({ id }, { onSuccess: () => offerUndo(t('closedNow'), () => reopen.mutate({ id })) })
  const snoozeNow = (id: string) =>
    snooze.mutate(
      { id, until: tomorrow() },
      { onSuccess: () => offerUndo(t('snoozedNow'), () => reopen.mutate({ id })) },
    )
  const assignNow = ({ id, assigneeId }: Conversation) => {
    if (!myId) return
    const next = assigneeId === myId ? null : myId
    const undo = () => assign.mutate({ id, assigneeId })
    assign.mutate(
      { id, assigneeId: next },
      { onSuccess: () => offerUndo(next ? t('assignedNow') : t('unassignedNow'), undo) },
    )
  }
  const commands = useTranslations('commands')
  useActions([
    { id: 'reply', label: commands('reply'), key: 'KeyR', run: onReply },
    ...(conversation
      ? [
          conversation.status === 'closed'
            ? { id: 'reopen', label: t('reopen'), key: 'KeyE', run: () => reopen.mutate({ id: conversation.id }) }
            : { id: 'close', label: t('close'), key: 'KeyE', run: () => closeNow(conversation.id) },
          { id: 'snooze', label: t('snooze'), key: 'KeyS', run: () => snoozeNow(conversation.id) },
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
            <Act look="quiet" onPress={() => assignNow(conversation)}>
              {conversation.assigneeId === myId ? t('unassign') : t('assignMe')}
            </Act>
          )}
          <Act look="quiet" onPress={() => snoozeNow(conversation.id)}>
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
