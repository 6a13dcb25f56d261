import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useFormatter, useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { mutation, type Out, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'

type State = Out<'agent.state'>

/** How the agent stands to a conversation, and what it would send. Nothing where a business has it off. */
export function ThreadAgent({ conversationId }: { conversationId: string }) {
  const t = useTranslations('agent')
  const state = useQuery(query('agent.state', { id: conversationId }))
  const mayWork = useAccess().may('agent')
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['agent'] }) }
  const pause = useMutation({ ...mutation('agent.pause'), ...done })
  const resume = useMutation({ ...mutation('agent.resume'), ...done })
  const turnOff = useMutation({ ...mutation('agent.turnOff'), ...done })
  const answer = useMutation({ ...mutation('agent.answer'), ...done })
  const found = state.data
  if (!found?.enabled) return null
  const id = conversationId
  return (
    <section aria-label={t('region')} className="flex flex-col gap-2 border-line border-b bg-raised px-3 py-2 text-sm">
      <div className="flex flex-wrap items-center gap-2">
        <p role="status" className="min-w-0 flex-1">
          <Standing state={found} />
        </p>
        {mayWork &&
          (found.mode === 'on' ? (
            <Act look="quiet" onPress={() => pause.mutate({ id })}>
              {t('pause')}
            </Act>
          ) : (
            <>
              <Act look="quiet" onPress={() => resume.mutate({ id })}>
                {t('resume')}
              </Act>
              <Act look="quiet" onPress={() => answer.mutate({ id })}>
                {t('answerNow')}
              </Act>
            </>
          ))}
        {mayWork && found.mode !== 'off' && (
          <Act look="quiet" onPress={() => turnOff.mutate({ id })}>
            {t('turnOff')}
          </Act>
        )}
      </div>
      {found.draft && mayWork && <Draft key={found.draft.id} draft={found.draft} />}
      <Problem error={pause.error ?? resume.error ?? turnOff.error ?? answer.error} />
    </section>
  )
}

function Standing({ state }: { state: State }) {
  const t = useTranslations('agent')
  const format = useFormatter()
  const { mode, pausedBecause, pausedUntil } = state
  if (mode !== 'paused') return t(mode)
  const when = pausedUntil ? format.dateTime(new Date(pausedUntil), { dateStyle: 'short', timeStyle: 'short' }) : null
  return [t('paused'), ...(pausedBecause ? [t(pausedBecause)] : []), ...(when ? [t('until', { when })] : [])].join(' ')
}

/** The answer that waits for a member: sent as it is or changed, or discarded. */
function Draft({ draft }: { draft: NonNullable<State['draft']> }) {
  const t = useTranslations('agent')
  const [text, setText] = useState(draft.text)
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['agent'] }) }
  const send = useMutation({ ...mutation('agent.sendDraft'), ...done })
  const discard = useMutation({ ...mutation('agent.discardDraft'), ...done })
  const isBusy = send.isPending || discard.isPending
  return (
    <form
      className="flex flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault()
        send.mutate({ id: draft.id, text })
      }}
    >
      <label className="flex flex-col gap-1">
        <span className="font-medium">{t('draft')}</span>
        <textarea
          dir="auto"
          rows={3}
          required
          maxLength={4096}
          value={text}
          onChange={({ target }) => setText(target.value)}
          className="w-full rounded-lg border border-line bg-page px-3 py-2"
        />
      </label>
      <div className="flex flex-wrap gap-2">
        <Act type="submit" look="main" isDisabled={isBusy}>
          {t('send')}
        </Act>
        <Act isDisabled={isBusy} onPress={() => discard.mutate({ id: draft.id })}>
          {t('discard')}
        </Act>
      </div>
      <Problem error={send.error ?? discard.error} />
    </form>
  )
}
