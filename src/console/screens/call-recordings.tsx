import { useMutation } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { below } from '../app/base.ts'
import { mutation, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { Duration } from '../ui/values.tsx'
import type { CallDetail } from './call-types.ts'

/** The messages that the caller left; one that is played is heard. */
export function Recordings({ detail }: { detail: CallDetail }) {
  const t = useTranslations('call')
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
            // biome-ignore lint/a11y/useMediaCaption: a voicemail has its transcript in the call
            <audio
              controls
              preload="metadata"
              src={below(`/api/v1/recordings/${id}/audio`)}
              aria-label={t('voicemail')}
              onPlay={() => {
                if (heardAt === null) mark.mutate({ id, heard: true })
              }}
              className="w-full"
            />
          ) : (
            <p className="text-muted">{t(state === 'pending' ? 'recordingPending' : 'recordingFailed')}</p>
          )}
          <p className="flex flex-wrap items-center gap-2 text-muted text-sm">
            {durationMs !== null && <Duration ms={durationMs} />}
            {t(heardAt ? 'heard' : 'notHeard')}
            <Act look="quiet" onPress={() => mark.mutate({ id, heard: heardAt === null })}>
              {t(heardAt ? 'markNotHeard' : 'markHeard')}
            </Act>
            <a href={below(`/api/v1/recordings/${id}/audio`)} download={`${id}.wav`} className="underline">
              {t('downloadAudio')}
            </a>
          </p>
        </div>
      ))}
      <Problem error={mark.error} />
    </section>
  )
}
