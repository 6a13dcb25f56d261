import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { mutation, type Out, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { Ago, isolated, Written } from '../../ui/values.tsx'
import { textOf } from './booking-parts.tsx'

type Gap = Out<'knowledge.gaps'>['items'][number]
const STATES = ['open', 'answered', 'dismissed'] as const
const again = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['knowledge'] }) }

/** What the agent answers from, and what it could not answer. */
export function KnowledgeSettings() {
  return (
    <>
      <GapsPanel />
      <AskPanel />
    </>
  )
}

function GapsPanel() {
  const t = useTranslations('knowledge')
  const [state, setState] = useState<(typeof STATES)[number]>('open')
  const list = useQuery(query('knowledge.gaps', { state, limit: 100 }))
  return (
    <Panel title={t('gaps')} wide>
      <p className="text-muted">{t('gapsIntro')}</p>
      <fieldset aria-label={t('show')} className="flex flex-wrap gap-1">
        {STATES.map((each) => (
          <button
            key={each}
            type="button"
            aria-pressed={state === each}
            onClick={() => setState(each)}
            className="min-h-9 rounded-lg border border-line px-3 py-1 hover:bg-raised aria-pressed:bg-accent-soft"
          >
            {t(each)}
          </button>
        ))}
      </fieldset>
      <Loaded of={list}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty>{t(`no.${state}`)}</Empty>
          ) : (
            <ul aria-label={t('gaps')} className="flex flex-col gap-3">
              {items.map((gap) => (
                <GapRow key={gap.id} gap={gap} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  )
}

function GapRow({ gap }: { gap: Gap }) {
  const t = useTranslations('knowledge')
  const { may } = useAccess()
  const answer = useMutation({ ...mutation('knowledge.answerGap'), ...again })
  const dismiss = useMutation({ ...mutation('knowledge.dismissGap'), ...again })
  const others = gap.examples.filter((example) => example !== gap.question)
  const question = isolated(gap.question)
  return (
    <li className="flex min-w-0 flex-col gap-2 rounded-lg border border-line p-3">
      <p className="flex flex-wrap items-baseline gap-x-3">
        <strong className="min-w-0 break-words">
          <Written>{gap.question}</Written>
        </strong>
        <span className="text-muted text-sm">
          {t('asked', { count: gap.count })} · <Ago at={gap.lastAt} />
        </span>
      </p>
      {others.length > 0 && (
        <details className="text-sm">
          <summary className="text-muted">{t('otherWords', { count: others.length })}</summary>
          <ul className="mt-1 flex flex-col gap-1">
            {others.map((example) => (
              <li key={example}>
                <Written>{example}</Written>
              </li>
            ))}
          </ul>
        </details>
      )}
      {gap.answer !== null && (
        <p className="text-sm">
          {t('answeredBy')}{' '}
          <Link to="/settings" search={{ part: 'receptionist' }} className="underline">
            <bdi>{gap.answer}</bdi>
          </Link>
        </p>
      )}
      {gap.state === 'open' && may('manager') && (
        <form
          className="flex flex-col gap-2 sm:flex-row sm:items-end"
          onSubmit={(event) => {
            event.preventDefault()
            answer.mutate({ id: gap.id, answer: textOf(new FormData(event.currentTarget), 'answer') })
          }}
        >
          <div className="min-w-0 flex-1">
            <Field label={t('answer')}>
              {(className) => (
                <input
                  name="answer"
                  dir="auto"
                  required
                  maxLength={2_000}
                  aria-label={t('answerTo', { question })}
                  className={className}
                />
              )}
            </Field>
          </div>
          <div className="flex gap-2">
            <Act type="submit" look="main" isDisabled={answer.isPending}>
              {t('save')}
            </Act>
            <Act
              aria-label={t('dismissOf', { question })}
              isDisabled={dismiss.isPending}
              onPress={() => dismiss.mutate({ id: gap.id })}
            >
              {t('dismiss')}
            </Act>
          </div>
        </form>
      )}
      <Problem error={answer.error ?? dismiss.error} />
    </li>
  )
}

/** A question as a customer would ask it, and what is found for it. */
function AskPanel() {
  const t = useTranslations('knowledge')
  const [asked, setAsked] = useState('')
  const found = useQuery({ ...query('knowledge.search', { query: asked, limit: 3 }), enabled: asked !== '' })
  return (
    <Panel title={t('ask')} wide>
      <p className="text-muted">
        {t('askIntro')}{' '}
        <Link to="/settings" search={{ part: 'receptionist' }} className="underline">
          {t('toTexts')}
        </Link>
      </p>
      <form
        className="flex flex-col gap-2 sm:flex-row sm:items-end"
        onSubmit={(event) => {
          event.preventDefault()
          setAsked(textOf(new FormData(event.currentTarget), 'question'))
        }}
      >
        <div className="min-w-0 flex-1">
          <Field label={t('question')}>
            {(className) => <input name="question" dir="auto" required maxLength={300} className={className} />}
          </Field>
        </div>
        <Act type="submit" className="self-start sm:self-end">
          {t('find')}
        </Act>
      </form>
      {asked !== '' && (
        <Loaded of={found}>
          {({ hits, sure, unknown }) => (
            <>
              <p role="status">{t(sure ? 'sure' : unknown ? 'unknown' : 'unsure')}</p>
              <ol aria-label={t('found')} className="flex flex-col gap-3">
                {hits.map(({ title, text, source }, at) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a list of one answer
                  <li key={at} className="flex min-w-0 flex-col gap-1 rounded-lg border border-line p-3">
                    <strong className="break-words">
                      <bdi>{title}</bdi>
                    </strong>
                    <Written className="line-clamp-6">{text}</Written>
                    <span className="text-muted text-sm">
                      {t(`source.${source.kind}`)}
                      {source.kind !== 'text' && (
                        <>
                          {': '}
                          <bdi className="break-all">{source.url ?? source.name}</bdi>
                        </>
                      )}
                    </span>
                  </li>
                ))}
              </ol>
            </>
          )}
        </Loaded>
      )}
    </Panel>
  )
}
