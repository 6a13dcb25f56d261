import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { mutation, type Out, pages, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { Loaded } from '../../ui/states.tsx'
import { Ago, Written } from '../../ui/values.tsx'

type Scenario = Out<'scenarios.list'>['items'][number]
type Run = Out<'scenarios.runs'>['items'][number]

const LOOK_EVERY_MS = 1_500
const reread = () => queryClient.invalidateQueries({ queryKey: ['scenarios'] })
const isWaiting = ({ state }: Run) => state === 'queued' || state === 'running'
const EXAMPLE = `name: opening-hours
channels: [chat]
given: {}
script:
  - send: מתי אתם פתוחים?
    expect: {replies: 1, amounts: backed}
`

/** Conversations that the receptionist has to pass, and what came of them. */
export function Scenarios({
  hasDraft,
  mayEdit,
  saved,
}: {
  hasDraft: boolean
  mayEdit: boolean
  saved(): Promise<unknown>
}) {
  const t = useTranslations('receptionist')
  const scenarios = useQuery(query('scenarios.list'))
  return (
    <>
      <Panel title={t('scenarios')}>
        <p className="text-muted">{t('scenariosIntro')}</p>
        <Requirement />
        <Loaded of={scenarios}>
          {({ items }) =>
            items.length === 0 ? (
              <p className="text-muted">{t('noScenarios')}</p>
            ) : (
              <ul className="flex flex-col gap-2">
                {items.map((scenario) => (
                  <Row key={scenario.id} scenario={scenario} mayEdit={mayEdit} />
                ))}
              </ul>
            )
          }
        </Loaded>
        {mayEdit && <Add />}
      </Panel>
      <Runs hasDraft={hasDraft} mayEdit={mayEdit && (scenarios.data?.items.length ?? 0) > 0} saved={saved} />
    </>
  )
}

/** Whether a draft waits for them is the owner's decision. */
function Requirement() {
  const t = useTranslations('receptionist')
  const { may } = useAccess()
  const business = useQuery(query('businesses.get'))
  const save = useMutation({
    ...mutation('scenarios.require'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['businesses'] }),
  })
  if (!business.data) return null
  return (
    <>
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          disabled={!may('owner') || save.isPending}
          checked={save.isPending ? save.variables.required : business.data.scenariosRequired}
          onChange={({ target }) => save.mutate({ required: target.checked })}
        />
        {t('scenariosRequired')}
      </label>
      <Problem error={save.error} />
    </>
  )
}

function Row({ scenario: { id, name, about, source }, mayEdit }: { scenario: Scenario; mayEdit: boolean }) {
  const t = useTranslations('receptionist')
  const remove = useMutation({ ...mutation('scenarios.remove'), onSuccess: reread })
  return (
    <li className="flex flex-col gap-2 rounded-lg border border-line p-3">
      <div className="flex flex-wrap items-center gap-3">
        <strong className="flex-1">
          <bdi dir="ltr">{name}</bdi>
        </strong>
        {mayEdit && (
          <Confirm
            label={t('removeText', { title: name })}
            question={t('removeScenario')}
            isDisabled={remove.isPending}
            onConfirm={() => remove.mutate({ id })}
          />
        )}
      </div>
      {about && <Written className="text-muted">{about}</Written>}
      <details>
        <summary>{t('scenarioSource')}</summary>
        <Source>{source}</Source>
      </details>
      <Problem error={remove.error} />
    </li>
  )
}

function Source({ children }: { children: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what is scrolled must be reached by keys
    <pre dir="ltr" tabIndex={0} className="max-h-80 overflow-auto rounded-lg bg-raised p-2 text-sm">
      {children}
    </pre>
  )
}

function Add() {
  const t = useTranslations('receptionist')
  const [source, setSource] = useState('')
  const save = useMutation({
    ...mutation('scenarios.save'),
    onSuccess: async () => {
      setSource('')
      await reread()
    },
  })
  return (
    <div className="flex flex-col items-start gap-2">
      <Field label={t('scenarioNew')} hint={t('scenarioHint')}>
        {(className) => (
          <textarea
            dir="ltr"
            rows={8}
            maxLength={50_000}
            placeholder={EXAMPLE}
            className={`${className} font-mono text-sm`}
            value={source}
            onChange={(event) => setSource(event.target.value)}
          />
        )}
      </Field>
      <Act isDisabled={source.trim() === '' || save.isPending} onPress={() => save.mutate({ source })}>
        {t('scenarioSave')}
      </Act>
      <Problem error={save.error} />
    </div>
  )
}

function Runs({ hasDraft, mayEdit, saved }: { hasDraft: boolean; mayEdit: boolean; saved(): Promise<unknown> }) {
  const t = useTranslations('receptionist')
  const state = useTranslations('state')
  const runs = useInfiniteQuery({
    ...pages('scenarios.runs', { limit: 10 }),
    refetchInterval: ({ state: { data } }) =>
      data?.pages.some(({ items }) => items.some(isWaiting)) ? LOOK_EVERY_MS : false,
  })
  const play = useMutation({
    mutationFn: async (draft: boolean) => {
      if (draft) await saved()
      return await mutation('scenarios.run').mutationFn({ draft })
    },
    onSuccess: reread,
  })
  return (
    <Panel title={t('scenarioRuns')}>
      {mayEdit && (
        <div className="flex flex-wrap gap-2">
          {hasDraft && (
            <Act look="main" isDisabled={play.isPending} onPress={() => play.mutate(true)}>
              {t('playDraft')}
            </Act>
          )}
          <Act isDisabled={play.isPending} onPress={() => play.mutate(false)}>
            {t('playLive')}
          </Act>
        </div>
      )}
      <Problem error={play.error} />
      <Loaded of={runs}>
        {(data) => {
          const items = data.pages.flatMap((page) => page.items)
          if (items.length === 0) return <p className="text-muted">{t('noRuns')}</p>
          return (
            <ol className="flex flex-col gap-3">
              {items.map((run) => (
                <RunRow key={run.id} run={run} />
              ))}
              {runs.hasNextPage && <Act onPress={() => void runs.fetchNextPage()}>{state('more')}</Act>}
            </ol>
          )
        }}
      </Loaded>
    </Panel>
  )
}

const STATES = {
  queued: 'runQueued',
  running: 'runRunning',
  passed: 'runPassed',
  failed: 'runFailed',
  broken: 'runBroken',
} as const
const OUTCOMES = { passed: 'runPassed', failed: 'runFailed', skipped: 'runSkipped' } as const

function RunRow({ run }: { run: Run }) {
  const t = useTranslations('receptionist')
  const what = run.draftRevision === null ? t('testLive') : t('testDraft')
  return (
    <li className="flex flex-col gap-2 rounded-lg border border-line p-3">
      <p role={isWaiting(run) ? 'status' : undefined} className="flex flex-wrap gap-x-3">
        <strong className={run.state === 'failed' || run.state === 'broken' ? 'text-danger' : undefined}>
          {t(STATES[run.state])}
        </strong>
        <span>{what}</span>
        <Ago at={run.createdAt} className="text-muted" />
      </p>
      {run.reason && <Written className="text-muted">{run.reason}</Written>}
      {run.results.map((result) => (
        <details key={result.scenario} open={result.outcome === 'failed'}>
          <summary>
            <bdi dir="ltr">{result.scenario}</bdi> · {t(OUTCOMES[result.outcome])}
          </summary>
          <ul className="ms-4 list-disc text-danger text-sm">
            {result.failures.map((failure) => (
              <li key={failure}>
                <bdi>{failure}</bdi>
              </li>
            ))}
          </ul>
          <ol className="flex flex-col gap-1 text-sm">
            {result.transcript.map(({ who, text, tools }, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: what was said never changes
              <li key={index}>
                <span className="text-muted">
                  {t(who === 'agent' ? 'agent' : who === 'person' ? 'person' : 'customer')}:{' '}
                </span>
                <Written>{text}</Written>
                {tools && tools.length > 0 && (
                  <bdi dir="ltr" className="text-muted">
                    {' '}
                    [{tools.join(', ')}]
                  </bdi>
                )}
              </li>
            ))}
          </ol>
        </details>
      ))}
    </li>
  )
}
