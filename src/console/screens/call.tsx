import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useRef, useState } from 'react'
import { useTranslations } from 'use-intl'
import { below } from '../app/base.ts'
import { type Out, query } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Icon } from '../ui/icon.tsx'
import { Heading, Loaded } from '../ui/states.tsx'
import { Ago, Duration, Phone, Written } from '../ui/values.tsx'

const call = getRouteApi('/calls/$callId')

type Detail = Out<'calls.get'>

/** One call: what was said, what was heard of it, its recordings, and how it ended. */
export function CallPage() {
  const t = useTranslations('call')
  const { callId } = call.useParams()
  const found = useQuery(query('calls.get', { id: callId }))
  return (
    <>
      <Heading
        aside={
          found.data && (
            <span className="text-muted">
              <Phone value={found.data.from} /> · <Ago at={found.data.startedAt} />
            </span>
          )
        }
      >
        {t('title')}
      </Heading>
      <div className="min-h-0 flex-1 overflow-y-auto p-4">
        <Loaded of={found}>
          {(data) => (
            <div className="flex flex-col gap-6 lg:flex-row">
              <Transcript detail={data} />
              <Facts detail={data} />
            </div>
          )}
        </Loaded>
      </div>
    </>
  )
}

function Transcript({ detail }: { detail: Detail }) {
  const t = useTranslations('call')
  const audio = useRef<HTMLAudioElement>(null)
  const [playing, setPlaying] = useState<string | null>(null)
  const play = (turnId: string) => {
    const element = audio.current
    if (!element) return
    if (playing === turnId) return element.pause()
    element.src = below(`/api/v1/turns/${turnId}/audio`)
    setPlaying(turnId)
    void element.play().catch(() => setPlaying(null))
  }
  return (
    <section aria-labelledby="transcript" className="min-w-0 flex-1">
      <h2 id="transcript" className="mb-3 font-semibold text-lg">
        {t('transcript')}
      </h2>
      {/* biome-ignore lint/a11y/useMediaCaption: the transcript is the page */}
      <audio ref={audio} onPause={() => setPlaying(null)} onEnded={() => setPlaying(null)} hidden />
      <ol className="flex flex-col gap-2">
        {detail.turns.map((turn) => (
          <li
            key={turn.id}
            className={`flex max-w-xl items-start gap-2 rounded-2xl px-3 py-2 ${
              turn.role === 'agent' ? 'self-end bg-accent-soft' : 'self-start border border-line bg-surface'
            } ${playing === turn.id ? 'ring-2 ring-accent' : ''}`}
          >
            {turn.hasAudio && (
              <Act look="quiet" aria-label={t('play')} onPress={() => play(turn.id)} className="-ms-2">
                <Icon name={playing === turn.id ? 'pause' : 'play'} />
              </Act>
            )}
            <span className="min-w-0">
              <small className="block text-muted">
                {t(turn.role)} · <Duration ms={turn.startMs} />
              </small>
              {turn.text ? <Spoken turn={turn} /> : <em className="text-muted">{t('noText')}</em>}
              {turn.interrupted && <small className="block text-warn">{t('cutOff')}</small>}
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}

/** What the caller did not hear any more is struck through, by the share of the audio that was played. */
function Spoken({ turn }: { turn: Detail['turns'][number] }) {
  const text = turn.text ?? ''
  const length = turn.endMs - turn.startMs
  const share = turn.interrupted && turn.heardMs !== null && length > 0 ? Math.min(1, turn.heardMs / length) : 1
  const cut = share < 1 ? Math.max(0, text.lastIndexOf(' ', Math.ceil(text.length * share))) : text.length
  return (
    <>
      <Written>{text.slice(0, cut)}</Written>
      {cut < text.length && (
        <s className="text-muted">
          <Written>{text.slice(cut)}</Written>
        </s>
      )}
    </>
  )
}

function Facts({ detail }: { detail: Detail }) {
  const t = useTranslations('call')
  const summary = useQuery(query('calls.summary', { id: detail.id }))
  const replay = useQuery({ ...query('calls.replay', { id: detail.id }), enabled: false })
  return (
    <section className="flex w-full flex-col gap-4 lg:w-80">
      {summary.data && (
        <div className="rounded-xl border border-line bg-surface p-4">
          <h2 className="mb-2 font-semibold">{t('summary')}</h2>
          <Written>{summary.data.summary}</Written>
          {summary.data.nextStep && (
            <p className="mt-2">
              <strong>{t('nextStep')}: </strong>
              <Written>{summary.data.nextStep}</Written>
            </p>
          )}
        </div>
      )}
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-2 rounded-xl border border-line bg-surface p-4">
        <dt className="text-muted">{t('from')}</dt>
        <dd>
          <Phone value={detail.from} />
        </dd>
        <dt className="text-muted">{t('to')}</dt>
        <dd>
          <Phone value={detail.to} />
        </dd>
        {detail.durationMs !== null && (
          <>
            <dt className="text-muted">{t('duration')}</dt>
            <dd>
              <Duration ms={detail.durationMs} />
            </dd>
          </>
        )}
        {detail.endReason && (
          <>
            <dt className="text-muted">{t('endedBy')}</dt>
            <dd>
              <bdi>{detail.endReason}</bdi>
            </dd>
          </>
        )}
      </dl>
      {detail.recordings.filter(({ state }) => state === 'stored').length > 0 && (
        <div className="flex flex-col gap-2 rounded-xl border border-line bg-surface p-4">
          <h2 className="font-semibold">{t('recordings')}</h2>
          {detail.recordings
            .filter(({ state }) => state === 'stored')
            .map(({ id }) => (
              // biome-ignore lint/a11y/useMediaCaption: a voicemail has its transcript in the call
              <audio
                key={id}
                controls
                preload="metadata"
                src={below(`/api/v1/recordings/${id}/audio`)}
                aria-label={t('voicemail')}
              />
            ))}
        </div>
      )}
      {detail.contactId && (
        <Link to="/inbox" search={{ view: 'all', contact: detail.contactId }} className="underline">
          {detail.contactName ? <bdi>{detail.contactName}</bdi> : <Phone value={detail.from} />}
        </Link>
      )}
      {detail.hasRecord && (
        <div>
          <Act isDisabled={replay.isFetching} onPress={() => void replay.refetch()}>
            {t('replay')}
          </Act>
          {replay.data && <p role="status">{replay.data.same ? t('replaySame') : t('replayDifferent')}</p>}
        </div>
      )}
    </section>
  )
}
