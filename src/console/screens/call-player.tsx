import { useTranslations } from 'use-intl'
import { fileAddress } from '../app/base.ts'
import type { Out } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Icon } from '../ui/icon.tsx'
import { Duration } from '../ui/values.tsx'
import type { CallMoment, CallTurn } from './call-types.ts'
import { Waveform } from './call-waveform.tsx'
import type { Player } from './use-player.ts'

const SPEEDS = [0.75, 1, 1.25, 1.5, 2]

/** The call's audio: both sides on a timeline, its controls, and the files to keep. */
export function CallPlayer({
  callId,
  audio,
  moments,
  turns,
  player,
}: {
  callId: string
  audio: Out<'calls.audio'> | undefined
  moments: CallMoment[]
  turns: CallTurn[]
  player: Player
}) {
  const t = useTranslations('call')
  if (!audio) return null
  if (audio.state !== 'ready')
    return (
      <p role="status" className="rounded-xl border border-line bg-surface p-4 text-muted">
        {audio.state === 'rendering' ? t('audioRendering') : t('audioNone')}
      </p>
    )
  const source = fileAddress(`/api/v1/calls/${callId}/audio`)
  return (
    <section aria-label={t('audio')} className="flex flex-col gap-2 rounded-xl border border-line bg-surface p-3">
      {/* biome-ignore lint/a11y/useMediaCaption: the transcript stands below it */}
      <audio ref={player.audio} src={source} preload="metadata" hidden />
      <Waveform audio={audio} moments={moments} turns={turns} player={player} />
      <div className="flex flex-wrap items-center gap-3">
        <Act look="main" aria-label={player.playing ? t('pause') : t('play')} onPress={player.toggle}>
          <Icon name={player.playing ? 'pause' : 'play'} />
        </Act>
        <bdi dir="ltr" className="tabular-nums">
          <Duration ms={player.atMs} /> / <Duration ms={player.durationMs} />
        </bdi>
        <label className="flex items-center gap-2 text-sm">
          {t('speed')}
          <select
            value={player.speed}
            onChange={(event) => player.setSpeed(Number(event.target.value))}
            dir="ltr"
            className="rounded-lg border border-line bg-page px-2 py-1"
          >
            {SPEEDS.map((speed) => (
              <option key={speed} value={speed}>
                {speed}×
              </option>
            ))}
          </select>
        </label>
        <a href={source} download={`${callId}.wav`} className="ms-auto text-sm underline">
          {t('downloadAudio')}
        </a>
      </div>
    </section>
  )
}
