import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { useTranslations } from 'use-intl'
import { PageError } from '../../app/errors.ts'
import { mutation, type Out, query, statusOf } from '../../app/trpc.ts'
import { openTelephone, type Telephone } from '../../phone/call.ts'
import { Act } from '../../ui/buttons.tsx'
import { Panel, Problem } from '../../ui/fields.tsx'
import { Icon } from '../../ui/icon.tsx'
import { Duration, Written } from '../../ui/values.tsx'
import { Choice } from './choice.tsx'
import { LANGUAGES, type Language } from './fields.ts'

type Detail = Out<'calls.get'>
const LOOK_EVERY_MS = 500

type Stage = 'idle' | 'asking' | 'connecting' | 'talking' | 'ended'
type Wanted = { draft: boolean; language: Language }

/** A call to the receptionist from this browser, with what is said beside it. */
export function TestCallPanel({
  title,
  hasDraft,
  saved,
}: {
  title: string
  hasDraft: boolean
  /** Resolves once what is typed is saved. */
  saved(): Promise<unknown>
}) {
  const t = useTranslations('receptionist')
  const business = useQuery(query('businesses.get'))
  const [draft, setDraft] = useState(true)
  const [language, setLanguage] = useState<Language | null>(null)
  const call = useTestCall(saved)
  const spoken = language ?? business.data?.language ?? 'he'
  const isOn = call.stage === 'asking' || call.stage === 'connecting' || call.stage === 'talking'
  return (
    <div className="flex flex-col gap-4 lg:flex-row lg:items-start">
      <Panel title={title}>
        <p className="text-muted">{t('testIntro')}</p>
        <fieldset disabled={isOn} className="flex flex-wrap gap-6">
          {hasDraft && (
            <Choice
              legend={t('testWhat')}
              value={draft ? 'draft' : 'live'}
              options={{ draft: t('testDraft'), live: t('testLive') }}
              onChange={(value) => setDraft(value === 'draft')}
            />
          )}
          <Choice
            legend={t('testLanguage')}
            value={spoken}
            options={{ he: t('hebrew'), en: t('english') }}
            onChange={(value) => setLanguage(LANGUAGES.find((each) => each === value) ?? null)}
          />
        </fieldset>
        {isOn ? (
          <Controls call={call} />
        ) : (
          <Act
            look="main"
            className="self-start"
            isDisabled={!business.data}
            onPress={() => void call.start({ draft: hasDraft && draft, language: spoken }, business.data?.id ?? '')}
          >
            <Icon name="phone" />
            {t('startCall')}
          </Act>
        )}
        <p role="status">{call.stage === 'ended' ? call.why : call.stage === 'idle' ? '' : t(call.stage)}</p>
        <Problem error={call.error} />
      </Panel>
      {call.callSid && <Transcript callSid={call.callSid} isOver={call.stage === 'ended'} />}
    </div>
  )
}

type TestCall = ReturnType<typeof useTestCall>

/** The state of one call; another screen hangs it up. */
function useTestCall(saved: () => Promise<unknown>) {
  const t = useTranslations('receptionist')
  const [stage, setStage] = useState<Stage>('idle')
  const [why, setWhy] = useState('')
  const [error, setError] = useState<Error | null>(null)
  const [callSid, setCallSid] = useState<string | null>(null)
  const [muted, setMuted] = useState(false)
  const telephone = useRef<Telephone | null>(null)
  const isShown = useRef(true)
  useEffect(() => {
    isShown.current = true
    return () => {
      isShown.current = false
      telephone.current?.hangUp()
    }
  }, [])
  const end = (reason: string) => {
    telephone.current = null
    setStage('ended')
    setWhy(t('ended', { why: t(whyOf(reason)) }))
  }
  async function start(wanted: Wanted, businessId: string) {
    setError(null)
    setMuted(false)
    setCallSid(null)
    setStage('asking')
    try {
      // First: the browser opens a microphone for a click alone.
      telephone.current = await openTelephone(end)
      // The screen was left while the browser asked.
      if (!isShown.current) return telephone.current.hangUp()
      setStage('connecting')
      await saved()
      const begun = await mutation('receptionist.testCall').mutationFn(wanted)
      setCallSid(begun.callSid)
      await telephone.current.dial({ ...begun, businessId })
      setStage('talking')
    } catch (problem) {
      telephone.current?.hangUp()
      telephone.current = null
      setStage('idle')
      setError(explain(problem))
    }
  }
  function explain(problem: unknown): Error {
    if (problem instanceof DOMException)
      return new PageError(t(problem.name === 'NotFoundError' ? 'noDevice' : 'noMicrophone'))
    return problem instanceof Error && statusOf(problem) !== null ? problem : new PageError(t('noLine'))
  }
  return {
    stage,
    why,
    error,
    callSid,
    muted,
    start,
    hangUp: () => telephone.current?.hangUp(),
    press: (digit: string) => telephone.current?.press(digit),
    mute(next: boolean) {
      telephone.current?.mute(next)
      setMuted(next)
    },
  }
}

const WHY = {
  completed: 'whyCompleted',
  caller_hung_up: 'whyHungUp',
  silence: 'whySilence',
  max_duration: 'whyLong',
  voicemail_requested: 'whyVoicemail',
} as const

function whyOf(reason: string) {
  const known = Object.entries(WHY).find(([name]) => name === reason)
  return known?.[1] ?? (reason.startsWith('engine_') ? 'whyFailed' : 'whyOther')
}

function Controls({ call }: { call: TestCall }) {
  const t = useTranslations('receptionist')
  return (
    <div className="flex flex-wrap gap-2">
      <Act look="danger" onPress={call.hangUp}>
        {t('hangUp')}
      </Act>
      {call.stage === 'talking' && (
        <>
          <Act onPress={() => call.mute(!call.muted)}>{t(call.muted ? 'unmute' : 'mute')}</Act>
          <Act onPress={() => call.press('0')}>{t('keyZero')}</Act>
        </>
      )}
    </div>
  )
}

/** What was said so far: read anew when the event of a turn comes. */
function Transcript({ callSid, isOver }: { callSid: string; isOver: boolean }) {
  const t = useTranslations('receptionist')
  const call = useQuery({
    ...query('calls.get', { id: callSid }),
    // The row is written when the stream starts; later its events have this read again.
    refetchInterval: ({ state }) => (state.data ? false : LOOK_EVERY_MS),
  })
  return (
    <Panel title={t('transcript')}>
      <ol role="log" aria-label={t('transcript')} className="flex flex-col gap-2">
        {call.data?.turns.map((turn) => (
          <Turn key={turn.id} turn={turn} />
        ))}
      </ol>
      {(call.data?.turns.length ?? 0) === 0 && <p className="text-muted">{t('transcriptEmpty')}</p>}
      {isOver && call.data && (
        <Link to="/calls/$callId" params={{ callId: call.data.id }} className="text-accent underline">
          {t('openCall')}
        </Link>
      )}
    </Panel>
  )
}

function Turn({ turn }: { turn: Detail['turns'][number] }) {
  const t = useTranslations('receptionist')
  return (
    <li
      className={`max-w-md rounded-2xl px-3 py-2 ${
        turn.role === 'agent' ? 'self-end bg-accent-soft' : 'self-start border border-line'
      }`}
    >
      <small className="block text-muted">
        {t(turn.role === 'agent' ? 'agent' : 'you')} · <Duration ms={turn.startMs} />
      </small>
      {turn.text ? <Written>{turn.text}</Written> : <em className="text-muted">{t('spoke')}</em>}
    </li>
  )
}
