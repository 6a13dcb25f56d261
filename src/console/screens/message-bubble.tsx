import { useMutation } from '@tanstack/react-query'
import { useFormatter, useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { mutation, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { Icon, type IconName } from '../ui/icon.tsx'
import { Clock, Written } from '../ui/values.tsx'
import type { EntryActions, Message } from './entry.ts'
import { MessageContent } from './message-content.tsx'
import { MessageFile } from './message-file.tsx'
import { ReactButton, Reactions, useReaction } from './message-reactions.tsx'

/** A message as WhatsApp shows it: what it answers, its files, its text, reactions, and how far it came. */
export function MessageBubble({
  message,
  id,
  at,
  onReply,
  onWrite,
}: { message: Message; id: string; at: string } & EntryActions) {
  const t = useTranslations('message')
  const mine = message.direction === 'out'
  const bad = message.status === 'failed' || message.status === 'unknown'
  // Over Twilio no answer can quote a message.
  const mayWork = useAccess().may('agent')
  const mayReply = mayWork && message.provider === 'baileys' && !message.deletedAt && !bad
  const reaction = useReaction(message, id)
  return (
    <article
      id={id}
      className={`group flex max-w-[85%] flex-col gap-1 rounded-2xl px-3 py-2 md:max-w-lg ${
        mine ? 'self-end bg-accent-soft' : 'self-start border border-line bg-surface'
      } ${bad ? '!bg-danger-soft' : ''}`}
    >
      {message.forwarded && <small className="text-muted">{t('forwarded')}</small>}
      {message.data.author?.name && <bdi className="font-semibold text-accent text-sm">{message.data.author.name}</bdi>}
      {message.replyTo && <Quoted {...message.replyTo} />}
      {message.deletedAt ? (
        <em className="text-muted">{t('deleted')}</em>
      ) : (
        <>
          {message.media.map((file, index) => (
            <MessageFile key={file.id ?? index} file={file} isLooped={message.data.gif === true} />
          ))}
          <MessageContent message={message} />
        </>
      )}
      <Reactions
        reactions={reaction.all}
        onTakeBack={reaction.mayReact ? reaction.toggle : null}
        error={reaction.error}
      />
      <footer className="flex flex-wrap items-center gap-2 self-end text-muted text-xs">
        {reaction.mayReact && <ReactButton mine={reaction.mine} onChoose={reaction.toggle} />}
        {mayReply && (
          <Act
            look="quiet"
            aria-label={t('reply')}
            className="!min-h-6 !px-1 !py-0 opacity-70 group-hover:opacity-100"
            onPress={() => onReply({ id, text: quotedText(message, t), provider: message.provider })}
          >
            <Icon name="reply" className="!size-4" />
          </Act>
        )}
        {message.editedAt && <span>{t('edited')}</span>}
        <Clock at={at} />
        {mine && <State message={message} />}
      </footer>
      {mine && bad && mayWork && <WhatToDo message={message} id={id} onWrite={onWrite} />}
    </article>
  )
}

function Quoted({ id, text }: NonNullable<Message['replyTo']>) {
  const t = useTranslations('message')
  const quoted = (
    <>
      <span className="sr-only">{t('replyTo')} </span>
      <Written className="line-clamp-2">{text || '…'}</Written>
    </>
  )
  const look = 'block border-accent border-s-4 ps-2 text-start text-muted text-sm'
  if (!id) return <blockquote className={look}>{quoted}</blockquote>
  return (
    <button
      type="button"
      className={`${look} hover:text-ink`}
      onClick={() => document.getElementById(id)?.scrollIntoView({ block: 'center' })}
    >
      {quoted}
    </button>
  )
}

const STATE_ICONS: Record<Message['status'], IconName> = {
  queued: 'clock',
  sending: 'clock',
  sent: 'check',
  delivered: 'checks',
  read: 'checks',
  failed: 'warning',
  unknown: 'warning',
  received: 'check',
}

function State({ message: { status, deliveredAt, readAt } }: { message: Message }) {
  const t = useTranslations('message')
  const format = useFormatter()
  const bad = status === 'failed' || status === 'unknown'
  const since = status === 'read' ? readAt : status === 'delivered' ? deliveredAt : null
  return (
    <span
      title={since ? format.dateTime(new Date(since), { dateStyle: 'full', timeStyle: 'medium' }) : undefined}
      className={`flex items-center gap-1 ${bad ? 'font-semibold text-danger' : status === 'read' ? 'text-accent' : ''}`}
    >
      <Icon name={STATE_ICONS[status]} className="!size-4" />
      {t(status)}
    </span>
  )
}

/** Providers' codes that a person can do something about. */
const REASONS = {
  63016: 'whyWindow',
  template_required: 'whyWindow',
  63003: 'whyNoWhatsapp',
  not_on_whatsapp: 'whyNoWhatsapp',
  63024: 'whyNoWhatsapp',
  contact_opted_out: 'whyOptedOut',
  63001: 'whySender',
  63007: 'whySender',
  20003: 'whySender',
  463: 'whyRestricted',
  63005: 'whyFile',
  63019: 'whyFile',
  63021: 'whyFile',
  media_missing: 'whyFile',
  media_not_fetchable: 'whyFile',
} as const

/** What went wrong, and what a person can do about it. */
function WhatToDo({ message, id, onWrite }: { message: Message; id: string; onWrite(text: string): void }) {
  const t = useTranslations('message')
  const state = useTranslations('state')
  const decide = useMutation({
    ...mutation('messages.decide'),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['conversations'] }),
  })
  const reason = Object.entries(REASONS).find(([code]) => code === message.errorCode)?.[1]
  return (
    <div className="flex flex-col gap-2 text-sm">
      <p className="text-danger">
        {message.status === 'unknown' ? (
          t('whyUnknown')
        ) : reason ? (
          t(reason)
        ) : (
          <>
            {t('whyOther')} <bdi>{message.errorCode}</bdi>
          </>
        )}
      </p>
      {message.status === 'failed' && !reason && message.errorMessage && (
        <details className="text-muted">
          <summary>{state('errorDetail')}</summary>
          <bdi dir="auto">{message.errorMessage}</bdi>
        </details>
      )}
      <div className="flex flex-wrap gap-1">
        {message.status === 'unknown' && (
          <>
            <Act isDisabled={decide.isPending} onPress={() => decide.mutate({ id, arrived: true })}>
              {t('itArrived')}
            </Act>
            <Act isDisabled={decide.isPending} onPress={() => decide.mutate({ id, arrived: false })}>
              {t('sendAgain')}
            </Act>
          </>
        )}
        {message.status === 'failed' && message.body !== '' && message.kind !== 'reaction' && (
          <Act onPress={() => onWrite(message.body)}>{t('writeAgain')}</Act>
        )}
      </div>
      <Problem error={decide.error} />
    </div>
  )
}

function quotedText(message: Message, t: ReturnType<typeof useTranslations<'message'>>): string {
  if (message.body !== '') return message.body.slice(0, 200)
  const [file] = message.media
  return file?.kind === 'image' ? t('photo') : file?.kind === 'voice' ? t('voice') : (file?.fileName ?? t('other'))
}
