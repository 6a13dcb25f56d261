import { useMutation, useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { fileAddress } from '../app/base.ts'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { Icon } from '../ui/icon.tsx'
import { Loaded } from '../ui/states.tsx'
import { Duration } from '../ui/values.tsx'
import type { CallDetail } from './call-types.ts'
import { Waveform } from './call-waveform.tsx'
import { usePlayer } from './use-player.ts'

/** The messages that the caller left; one that is played is heard. */
export function Recordings({ detail }: { detail: CallDetail }) {
  const t = useTranslations('call')
  const mayMark = useAccess().may('agent')
  const mark = useMutation({
    ...mutation('recordings.mark'),
    onSuccess: () =>
      Promise.all(['calls', 'recordings'].map((key) => queryClient.invalidateQueries({ queryKey: [key] }))),
  })
  if (detail.recordings.length === 0) return null
  return (
    <section aria-labelledby="voicemail" className="flex flex-col gap-3 rounded-xl border border-line bg-surface p-4">
      <h2 id="voicemail" className="font-semibold">
        {t('voicemail')}
      </h2>
      {detail.recordings.map(({ id, state, heardAt, durationMs }) => (
        <div key={id} className="flex flex-col gap-2">
          {state === 'stored' ? (
            <Voicemail id={id} onPlay={() => mayMark && heardAt === null && mark.mutate({ id, heard: true })} />
          ) : (
            <p className="text-muted">{t(state === 'pending' ? 'recordingPending' : 'recordingFailed')}</p>
          )}
          <p className="flex flex-wrap items-center gap-2 text-muted text-sm">
            {durationMs !== null && <Duration ms={durationMs} />}
            {t(heardAt ? 'heard' : 'notHeard')}
            {mayMark && (
              <Act look="quiet" onPress={() => mark.mutate({ id, heard: heardAt === null })}>
                {t(heardAt ? 'markNotHeard' : 'markHeard')}
              </Act>
            )}
            <a href={fileAddress(`/api/v1/recordings/${id}/audio`)} download={`${id}.wav`} className="underline">
              {t('downloadAudio')}
            </a>
          </p>
        </div>
      ))}
      <Problem error={mark.error} />
    </section>
  )
}

/** Played on its waveform, as the call is; one that has no peaks by the browser's own controls. */
function Voicemail({ id, onPlay }: { id: string; onPlay(): void }) {
  const t = useTranslations('call')
  const found = useQuery(query('recordings.peaks', { id }))
  const peaks = found.data
  const player = usePlayer(peaks?.durationMs ?? 0, false)
  const sound = useMemo(
    () => peaks && { durationMs: peaks.durationMs, stepMs: peaks.stepMs, caller: peaks.values, agent: [] },
    [peaks],
  )
  const isDrawn = sound !== undefined && sound.caller.length > 0 && sound.durationMs > 0
  return (
    <Loaded of={found}>
      {() => (
        <>
          {/* biome-ignore lint/a11y/useMediaCaption: a voicemail has its transcript in the call */}
          <audio
            ref={player.audio}
            controls={!isDrawn}
            hidden={isDrawn}
            preload="metadata"
            src={fileAddress(`/api/v1/recordings/${id}/audio`)}
            aria-label={t('voicemail')}
            onPlay={(event) => {
              for (const other of document.querySelectorAll('audio')) if (other !== event.currentTarget) other.pause()
              onPlay()
            }}
            className="w-full"
          />
          {isDrawn && (
            <div className="flex items-center gap-3">
              <Act
                look="main"
                aria-label={t(player.playing ? 'pauseVoicemail' : 'playVoicemail')}
                onPress={player.toggle}
              >
                <Icon name={player.playing ? 'pause' : 'play'} />
              </Act>
              <div className="min-w-0 flex-1">
                <Waveform audio={sound} moments={NONE} turns={NONE} player={player} label={t('voicemailPosition')} />
              </div>
              <bdi dir="ltr" className="text-sm">
                <Duration ms={player.atMs} />
              </bdi>
            </div>
          )}
        </>
      )}
    </Loaded>
  )
}

const NONE: never[] = []
