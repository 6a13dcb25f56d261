import { useMutation } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useTranslations } from 'use-intl'
import { stripPoints } from '../../../lib/hebrew.ts'
import { mutation } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Problem } from '../../ui/fields.tsx'
import { Icon } from '../../ui/icon.tsx'
import { Written } from '../../ui/values.tsx'
import type { Settings } from './draft.ts'
import type { Language } from './fields.ts'

/** Speaks a prompt with the settings as they are typed, in the voice that callers hear. */
export function Listen({
  kind,
  language,
  settings,
  label,
}: {
  kind: 'greeting' | 'voicemail'
  language: Language
  settings: Settings
  label: string
}) {
  const t = useTranslations('receptionist')
  const audio = useRef<HTMLAudioElement>(null)
  const [playing, setPlaying] = useState(false)
  const speak = useMutation({
    ...mutation('receptionist.previewAudio'),
    onSuccess: ({ audio: base64 }) => {
      const element = audio.current
      if (!element) return
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
      URL.revokeObjectURL(element.src)
      element.src = URL.createObjectURL(new Blob([bytes], { type: 'audio/wav' }))
      setPlaying(true)
      void element.play().catch(() => setPlaying(false))
    },
  })
  useEffect(() => {
    const element = audio.current
    return () => {
      element?.pause()
      if (element?.src) URL.revokeObjectURL(element.src)
    }
  }, [])
  return (
    <div className="flex flex-wrap items-center gap-2">
      {/* biome-ignore lint/a11y/useMediaCaption: it speaks the text of the field beside it */}
      <audio
        ref={audio}
        hidden
        data-testid={`${kind}-${language}`}
        onPause={() => setPlaying(false)}
        onEnded={() => setPlaying(false)}
      />
      <Act
        aria-label={playing ? `${t('stop')}: ${label}` : t('listenTo', { field: label })}
        isDisabled={speak.isPending}
        onPress={() => (playing ? audio.current?.pause() : speak.mutate({ kind, language, settings }))}
      >
        <Icon name={playing ? 'pause' : 'play'} />
        {playing ? t('stop') : t('listen')}
      </Act>
      {speak.data && <Written className="text-muted text-sm">{stripPoints(speak.data.text)}</Written>}
      <Problem error={speak.error} />
    </div>
  )
}
