import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { useNow, useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { codeOf, mutation, type Out, query } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field } from '../ui/fields.tsx'
import { Icon } from '../ui/icon.tsx'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { Duration, Phone, Written } from '../ui/values.tsx'
import { listenTo } from './live-audio.ts'

type LiveCall = Out<'calls.live'>['items'][number]

/** Who is on the phone now, and what a member can do about it. */
export function Live() {
  const t = useTranslations('live')
  const calls = useQuery(query('calls.live'))
  return (
    <>
      <Heading
        aside={
          calls.data &&
          calls.data.items.length > 0 && (
            <span className="rounded-full bg-accent-soft px-3 py-1 text-sm">
              {t('count', { count: calls.data.items.length })}
            </span>
          )
        }
      >
        {t('title')}
      </Heading>
      <div className="min-h-0 flex-1 overflow-y-auto p-4">
        <NotNotified />
        <Loaded of={calls}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty icon="wave">{t('empty')}</Empty>
            ) : (
              <ul className="grid gap-4 xl:grid-cols-2">
                {items.map((call) => (
                  <li key={call.id}>
                    <Card call={call} />
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      </div>
    </>
  )
}

/** Callers should hear that a member may listen: said to who may, as long as no published notice says anything. */
function NotNotified() {
  const t = useTranslations('live')
  const { may } = useAccess()
  const receptionist = useQuery({ ...query('receptionist.get'), enabled: may('manager') })
  const notices = receptionist.data && Object.values(receptionist.data.settings.consentNotice)
  if (!notices || notices.some((notice) => notice?.trim())) return null
  return (
    <p className="mb-4 rounded-lg bg-warn-soft p-3 text-sm text-warn">
      {t('notNotified')}{' '}
      <Link to="/settings" search={{ part: 'receptionist' }} className="underline">
        {t('toNotice')}
      </Link>
    </p>
  )
}

function Card({ call }: { call: LiveCall }) {
  const t = useTranslations('live')
  const now = useNow({ updateInterval: 1_000 })
  const phase = call.state?.phase ?? 'connecting'
  return (
    <article className="flex flex-col gap-3 rounded-xl border border-line bg-surface p-4">
      <header className="flex flex-wrap items-center gap-3">
        <Icon name="wave" className={phase === 'talking' ? 'text-accent' : 'text-muted'} />
        <h2 className="min-w-0 flex-1 truncate font-semibold text-lg">
          <Caller call={call} />
        </h2>
        <Duration ms={Math.max(0, now.getTime() - new Date(call.since).getTime())} />
      </header>
      <p className="flex flex-wrap gap-x-3 text-muted text-sm">
        <span>{t(phase)}</span>
        <span>
          {t('to')} <Phone value={call.to} />
        </span>
        {call.state?.engine && (
          <span>
            {t('engine')} <bdi dir="ltr">{call.state.engine}</bdi>
          </span>
        )}
        <Link to="/calls/$callId" params={{ callId: call.id }} className="text-accent underline">
          {t('open')}
        </Link>
      </p>
      <LastWords turns={call.lastTurns} />
      <Actions call={call} />
    </article>
  )
}

function Caller({ call }: { call: LiveCall }) {
  const t = useTranslations('live')
  if (call.contactName) return <bdi>{call.contactName}</bdi>
  return /\d{4}/.test(call.from) ? <Phone value={call.from} /> : t('withheld')
}

function LastWords({ turns }: { turns: LiveCall['lastTurns'] }) {
  const t = useTranslations('live')
  return (
    <div role="log" aria-label={t('words')} className="flex flex-col gap-1 rounded-lg bg-raised p-3 text-sm">
      {turns.length === 0 && <p className="text-muted">{t('noWords')}</p>}
      {turns.map((turn) => (
        <p key={turn.id} className="flex gap-2">
          <span className="shrink-0 font-medium">{t(turn.role)}</span>
          {turn.text ? (
            <Written className={turn.interrupted ? 'line-through decoration-muted' : ''}>{turn.text}</Written>
          ) : (
            <span className="text-muted">{t('spoke')}</span>
          )}
        </p>
      ))}
    </div>
  )
}

function Actions({ call }: { call: LiveCall }) {
  const t = useTranslations('live')
  const { may } = useAccess()
  const [form, setForm] = useState<'whisper' | 'transfer' | null>(null)
  if (!may('agent')) return null
  const toggle = (which: 'whisper' | 'transfer') => setForm(form === which ? null : which)
  return (
    <>
      <div className="flex flex-wrap gap-2">
        {may('manager') && <Listen callId={call.id} />}
        <Act aria-expanded={form === 'whisper'} onPress={() => toggle('whisper')}>
          {t('whisper')}
        </Act>
        <Act aria-expanded={form === 'transfer'} onPress={() => toggle('transfer')}>
          {t('takeOver')}
        </Act>
        <End callId={call.id} />
      </div>
      {form === 'whisper' &&
        (call.state && !call.state.followsInstructions ? (
          <p role="status">{t('followsScript')}</p>
        ) : (
          <Whisper callId={call.id} />
        ))}
      {form === 'transfer' && <TakeOver callId={call.id} onCancel={() => setForm(null)} />}
    </>
  )
}

function Listen({ callId }: { callId: string }) {
  const t = useTranslations('live')
  const [stop, setStop] = useState<(() => void) | null>(null)
  const [lost, setLost] = useState(false)
  const stopNow = useRef<(() => void) | null>(null)
  stopNow.current = stop
  useEffect(() => () => stopNow.current?.(), [])
  const start = () => {
    setLost(false)
    const end = listenTo(callId, (wasLost) => {
      setStop(null)
      setLost(wasLost)
    })
    setStop(() => end)
  }
  return (
    <>
      <Act look={stop ? 'main' : 'plain'} aria-pressed={stop !== null} onPress={() => (stop ? stop() : start())}>
        <Icon name={stop ? 'pause' : 'play'} />
        {t(stop ? 'stopListening' : 'listen')}
      </Act>
      {(stop || lost) && (
        <p role="status" className="order-last w-full text-muted text-sm">
          {t(stop ? 'listening' : 'notListening')}
        </p>
      )}
    </>
  )
}

function Whisper({ callId }: { callId: string }) {
  const t = useTranslations('live')
  const whisper = useMutation(mutation('calls.whisper'))
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = event.currentTarget
    const text = String(new FormData(form).get('text')).trim()
    if (text) whisper.mutate({ id: callId, text }, { onSuccess: () => form.reset() })
  }
  return (
    <form onSubmit={send} className="flex flex-col gap-2">
      <Field label={t('whisper')} hint={t('whisperHint')}>
        {(className) => <input name="text" dir="auto" required maxLength={1_000} className={className} />}
      </Field>
      <div className="flex items-center gap-3">
        <Act type="submit" look="main" isDisabled={whisper.isPending}>
          {t('whisperSend')}
        </Act>
        {whisper.isSuccess && <span role="status">{t('whispered')}</span>}
      </div>
      <Refused error={whisper.error} />
    </form>
  )
}

const NUMBER = 'transfer-number'

function TakeOver({ callId, onCancel }: { callId: string; onCancel(): void }) {
  const t = useTranslations('live')
  const transfer = useMutation(mutation('calls.transfer'))
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const number = String(new FormData(event.currentTarget).get('number')).trim()
    localStorage.setItem(NUMBER, number)
    transfer.mutate({ id: callId, ...(number ? { number } : {}) })
  }
  return (
    <form onSubmit={send} className="flex flex-col gap-2">
      <Field label={t('takeOverNumber')} hint={t('takeOverHint')}>
        {(className) => (
          <input
            name="number"
            type="tel"
            dir="ltr"
            autoComplete="tel"
            defaultValue={localStorage.getItem(NUMBER) ?? ''}
            className={className}
          />
        )}
      </Field>
      <div className="flex gap-2">
        <Act type="submit" look="main" isDisabled={transfer.isPending}>
          {t('takeOverSend')}
        </Act>
        <Act look="quiet" onPress={onCancel}>
          {t('cancel')}
        </Act>
      </div>
      <Refused error={transfer.error} />
    </form>
  )
}

/** How long a second press may follow: what is ended stays ended. */
const SURE_MS = 4_000

function End({ callId }: { callId: string }) {
  const t = useTranslations('live')
  const end = useMutation(mutation('calls.end'))
  const [asking, setAsking] = useState(false)
  useEffect(() => {
    if (!asking) return
    const timer = setTimeout(() => setAsking(false), SURE_MS)
    return () => clearTimeout(timer)
  }, [asking])
  return (
    <>
      <Act
        className="text-danger"
        isDisabled={end.isPending}
        onPress={() => (asking ? end.mutate({ id: callId }) : setAsking(true))}
      >
        {t(asking ? 'reallyEnd' : 'end')}
      </Act>
      <Refused error={end.error} />
    </>
  )
}

const PROBLEMS = [
  'call_not_live',
  'call_not_found',
  'no_transfer_number',
  'transfer_under_way',
  'transfer_failed',
  'follows_script',
  'engine_not_ready',
  'process_silent',
  'bad_phone',
] as const

/** Why it was not done, in the member's language. */
function Refused({ error }: { error: Error | null }) {
  const t = useTranslations('live')
  if (!error) return null
  const code = codeOf(error)
  return (
    <p role="alert" className="w-full text-danger text-sm">
      {t(PROBLEMS.find((each) => each === code) ?? 'failed')}
    </p>
  )
}
