import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { mutation, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { Icon } from '../ui/icon.tsx'
import { national } from '../ui/values.tsx'
import type { Message } from './entry.ts'

/** Those that WhatsApp offers first. */
const OFFERED = ['👍', '❤️', '😂', '😮', '😢', '🙏']
type Reaction = Message['reactions'][number]

/** Ours as it is, or as it was just chosen until the thread was read again. */
export function useReaction(message: Message, id: string) {
  const { may } = useAccess()
  const now = message.reactions.find(({ from }) => from.direction === 'out')?.emoji ?? null
  const react = useMutation({
    ...mutation('messages.react'),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['conversations', 'timeline'] }),
  })
  const mine = react.isPending && react.variables ? react.variables.emoji : now
  const theirs = message.reactions.filter(({ from }) => from.direction !== 'out')
  const our: Reaction[] = mine
    ? [{ emoji: mine, from: { direction: 'out', phone: null, name: null }, at: new Date().toISOString() }]
    : []
  return {
    // Over Twilio no one can react, nor in a group, nor to what we wrote.
    mayReact:
      may('agent') &&
      message.provider === 'baileys' &&
      message.direction === 'in' &&
      !message.deletedAt &&
      !message.data.author &&
      message.kind !== 'undecryptable',
    mine,
    all: [...theirs, ...our],
    error: react.error,
    /** The same emoji once more takes it back. */
    toggle: (emoji: string) => react.mutate({ id, emoji: emoji === mine ? null : emoji }),
  }
}

export function ReactButton({ mine, onChoose }: { mine: string | null; onChoose(emoji: string): void }) {
  const t = useTranslations('message')
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      {isOpen && (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset is a part of a form, which this is not
        <span
          role="group"
          aria-label={t('react')}
          className="flex flex-wrap rounded-full border border-line bg-surface"
        >
          {OFFERED.map((emoji) => (
            <button
              key={emoji}
              type="button"
              aria-pressed={emoji === mine}
              onClick={() => {
                onChoose(emoji)
                setOpen(false)
              }}
              className="min-h-8 min-w-8 rounded-full text-lg hover:bg-raised aria-pressed:bg-accent-soft"
            >
              {emoji}
            </button>
          ))}
        </span>
      )}
      <Act
        look="quiet"
        aria-label={t('react')}
        aria-expanded={isOpen}
        className="!min-h-6 !px-1 !py-0 opacity-70 group-hover:opacity-100"
        onPress={() => setOpen(!isOpen)}
      >
        <Icon name="smile" className="!size-4" />
      </Act>
    </>
  )
}

/** One of each emoji; who reacted on hover and for screen readers. Ours is taken back by pressing it. */
export function Reactions({
  reactions,
  onTakeBack,
  error,
}: {
  reactions: Reaction[]
  /** Null where it cannot be. */
  onTakeBack: ((emoji: string) => void) | null
  error: Error | null
}) {
  const t = useTranslations('message')
  const isOurs = ({ from }: Reaction) => from.direction === 'out'
  const who = (reaction: Reaction) =>
    isOurs(reaction)
      ? t('us')
      : (reaction.from.name ?? (reaction.from.phone ? national(reaction.from.phone) : t('them')))
  return (
    <>
      {reactions.length > 0 && (
        <ul aria-label={t('reactions')} className="flex flex-wrap gap-1 self-start">
          {[...Map.groupBy(reactions, ({ emoji }) => emoji)].map(([emoji, same]) => {
            const shown = (
              <>
                {emoji}
                {same.length > 1 && <span className="ms-1 text-xs">{same.length}</span>}
                <span className="sr-only">{same.map(who).join(', ')}</span>
              </>
            )
            const look = 'rounded-full border border-line bg-surface px-1.5 text-base'
            return (
              <li key={emoji} title={same.map(who).join(', ')}>
                {onTakeBack && same.some(isOurs) ? (
                  <button type="button" onClick={() => onTakeBack(emoji)} className={`${look} hover:bg-raised`}>
                    <span className="sr-only">{t('takeBackReaction')} </span>
                    {shown}
                  </button>
                ) : (
                  <span className={`block ${look}`}>{shown}</span>
                )}
              </li>
            )
          })}
        </ul>
      )}
      <Problem error={error} />
    </>
  )
}
