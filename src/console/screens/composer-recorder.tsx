import { useEffect, useRef, useState } from 'react'
import { useTranslations } from 'use-intl'
import { Act } from '../ui/buttons.tsx'
import { Icon } from '../ui/icon.tsx'
import { Duration } from '../ui/values.tsx'
import { type Recording, startRecording } from './composer-voice.ts'

/** Records a voice note. */
export function Recorder({
  onRecorded,
  isDisabled,
}: {
  onRecorded(blob: Blob, voice: boolean): void
  isDisabled: boolean
}) {
  const t = useTranslations('composer')
  const [recording, setRecording] = useState<Recording | null>(null)
  const [isRefused, setRefused] = useState(false)
  const running = useRef<Recording | null>(null)
  useEffect(() => () => running.current?.cancel(), [])
  const keep = (next: Recording | null) => {
    running.current = next
    setRecording(next)
  }
  const start = async () => {
    setRefused(false)
    try {
      keep(await startRecording())
    } catch {
      setRefused(true)
    }
  }
  const finish = async () => {
    const ended = running.current
    keep(null)
    if (!ended) return
    const { blob, voice } = await ended.finish()
    onRecorded(blob, voice)
  }
  if (!recording)
    return (
      <>
        <Act look="quiet" aria-label={t('record')} isDisabled={isDisabled} onPress={() => void start()}>
          <Icon name="mic" />
        </Act>
        {isRefused && (
          <span role="alert" className="text-danger text-sm">
            {t('noMicrophone')}
          </span>
        )}
      </>
    )
  return (
    <span className="flex items-center gap-2 rounded-full bg-danger-soft px-2">
      <span role="status" className="text-danger text-sm">
        {t('recording')}
      </span>
      <Elapsed since={recording.startedAt} />
      <Act
        look="quiet"
        aria-label={t('cancelRecording')}
        onPress={() => {
          recording.cancel()
          keep(null)
        }}
      >
        <Icon name="cross" />
      </Act>
      <Act aria-label={t('finishRecording')} onPress={() => void finish()}>
        <Icon name="check" />
      </Act>
    </span>
  )
}

function Elapsed({ since }: { since: number }) {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500)
    return () => clearInterval(timer)
  }, [])
  return <Duration ms={Math.max(0, now - since)} />
}
