import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, type Out } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { Duration, Written } from '../../ui/values.tsx'
import { Choice } from './choice.tsx'

type Answer = Out<'receptionist.testChat'>
type Turn = { text: string; answer: Answer }

/** Writing to the agent as a customer would, with every step of it; nothing of it is kept. */
export function TestChatPanel({ hasDraft, saved }: { hasDraft: boolean; saved(): Promise<unknown> }) {
  const t = useTranslations('receptionist')
  const [draft, setDraft] = useState(true)
  const [turns, setTurns] = useState<Turn[]>([])
  const [text, setText] = useState('')
  const say = useMutation({
    mutationFn: async (said: string) => {
      await saved()
      return await mutation('receptionist.testChat').mutationFn({
        ...{ draft: hasDraft && draft, texts: [said], history: turns.map(toHistory) },
      })
    },
    onSuccess: (answer, said) => {
      setTurns((before) => [...before, { text: said, answer }])
      setText('')
    },
  })
  const send = (event: FormEvent) => {
    event.preventDefault()
    if (text.trim() !== '' && !say.isPending) say.mutate(text.trim())
  }
  return (
    <Panel title={t('testChat')}>
      <p className="text-muted">{t('testChatIntro')}</p>
      {hasDraft && turns.length === 0 && (
        <Choice
          legend={t('testChatWhat')}
          value={draft ? 'draft' : 'live'}
          options={{ draft: t('testDraft'), live: t('testLive') }}
          onChange={(value) => setDraft(value === 'draft')}
        />
      )}
      <div role="log" aria-label={t('testChat')}>
        {turns.length > 0 && (
          <ol className="flex flex-col gap-3">
            {turns.map((turn) => (
              <Exchange key={turn.answer.at} turn={turn} />
            ))}
          </ol>
        )}
      </div>
      <form onSubmit={send} className="flex flex-col gap-2">
        <Field label={t('testChatText')}>
          {(className) => (
            <input
              dir="auto"
              maxLength={2_000}
              className={className}
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
          )}
        </Field>
        <div className="flex flex-wrap gap-2">
          <Act look="main" type="submit" isDisabled={say.isPending || text.trim() === ''}>
            {t('testChatSend')}
          </Act>
          {turns.length > 0 && (
            <Act isDisabled={say.isPending} onPress={() => setTurns([])}>
              {t('testChatAgain')}
            </Act>
          )}
        </div>
      </form>
      <p role="status">{say.isPending && t('testChatThinking')}</p>
      <Problem error={say.error} />
    </Panel>
  )
}

function toHistory({ text, answer: { at, reply } }: Turn) {
  return {
    at: new Date(at).toISOString(),
    texts: [text],
    reply: reply && {
      ...{ text: reply.text, handover: reply.handover, dialogue: reply.dialogue },
      tools: reply.tools.map(({ name, input, error }) => ({ name, input, ...(error === undefined ? {} : { error }) })),
    },
  }
}

function Exchange({ turn: { text, answer } }: { turn: Turn }) {
  const t = useTranslations('receptionist')
  const { reply, silence, thinkingMs } = answer
  return (
    <li className="flex flex-col gap-2">
      <div className="max-w-md self-start rounded-2xl border border-line px-3 py-2">
        <small className="block text-muted">{t('you')}</small>
        <Written>{text}</Written>
      </div>
      {reply && <Steps reply={reply} />}
      <div className="max-w-md self-end rounded-2xl bg-accent-soft px-3 py-2">
        <small className="block text-muted">
          {t('agent')} · {reply?.model ?? (reply ? t('testChatRules') : '')} <Duration ms={thinkingMs} />
        </small>
        {reply ? (
          <Written>{reply.text}</Written>
        ) : (
          <em className="text-muted">{t('testChatSilent', { why: silence ?? '' })}</em>
        )}
      </div>
    </li>
  )
}

/** What the agent did before it answered: each tool with its arguments and its result, and where facts come from. */
function Steps({ reply }: { reply: NonNullable<Answer['reply']> }) {
  const t = useTranslations('receptionist')
  const notes = [
    ...reply.sources.map(({ title }) => t('testChatSource', { title })),
    ...reply.gaps.map((question) => t('testChatGap', { question })),
    ...reply.guard.map((found) => t('testChatGuard', { found })),
    ...(reply.handover ? [t('testChatHandover', { reason: reply.handover })] : []),
  ]
  return (
    <ul aria-label={t('testChatSteps')} className="flex flex-col gap-1 text-sm">
      {reply.tools.map(({ name, input, output, error }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the steps of an answer never change
        <li key={index}>
          <details>
            <summary className={error === undefined ? undefined : 'text-danger'}>
              <bdi dir="ltr" className="font-mono">
                {name}
              </bdi>{' '}
              {error !== undefined && t('testChatFailed')}
            </summary>
            <Json label={t('testChatInput')} value={input} />
            <Json label={t('testChatOutput')} value={error ?? output ?? null} />
          </details>
        </li>
      ))}
      {notes.map((note) => (
        <li key={note} className="text-muted">
          <Written>{note}</Written>
        </li>
      ))}
    </ul>
  )
}

function Json({ label, value }: { label: string; value: unknown }) {
  return (
    <figure className="m-0">
      <figcaption className="text-muted">{label}</figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what is scrolled must be reached by keys */}
      <pre dir="ltr" tabIndex={0} className="max-h-60 overflow-auto rounded-lg bg-raised p-2 text-sm">
        {JSON.stringify(value, null, 2)}
      </pre>
    </figure>
  )
}
