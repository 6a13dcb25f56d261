import { useRef, useState } from 'react'
import { useTranslations } from 'use-intl'
import { fileAddress } from '../app/base.ts'
import { Act } from '../ui/buttons.tsx'
import { Icon } from '../ui/icon.tsx'
import { Popup } from '../ui/popup.tsx'
import { Bytes, Duration, Written } from '../ui/values.tsx'
import type { Message } from './entry.ts'

type File = Message['media'][number]

/** A file of a message: seen, played in its place, or fetched. */
export function MessageFile({ file, isLooped }: { file: File; isLooped: boolean }) {
  const t = useTranslations('message')
  if (!file.url || file.state === 'failed' || file.state === 'unavailable' || file.state === 'pending')
    return <Missing file={file} />
  // Another server's files are not shown in the page: it would learn who reads, and the policy refuses them.
  const source = file.state === 'stored' ? fileAddress(file.url) : null
  const type = file.contentType.toLowerCase()
  if (source && (file.kind === 'image' || file.kind === 'sticker') && /^image\/(jpeg|png|gif|webp)/.test(type))
    return <Picture file={file} source={source} download={fileAddress(file.url, { download: true })} />
  if (source && /^(audio|application\/ogg)/.test(type)) return <AudioNote file={file} source={source} />
  if (source && type.startsWith('video/'))
    return (
      // biome-ignore lint/a11y/useMediaCaption: what customers send has no captions
      <video
        controls
        loop={isLooped}
        preload="metadata"
        src={source}
        poster={file.thumbnailUrl ? fileAddress(file.thumbnailUrl) : undefined}
        aria-label={t('video')}
        className="max-h-80 max-w-full rounded-lg"
      />
    )
  return (
    <a
      href={source ? fileAddress(file.url, { download: true }) : file.url}
      target={source ? undefined : '_blank'}
      rel="noreferrer"
      className="flex items-center gap-3 rounded-xl bg-raised px-3 py-2 hover:bg-line"
    >
      <Icon name="file" className="!size-7 text-muted" />
      <span className="min-w-0">
        <bdi className="block truncate underline">{file.fileName ?? t('document')}</bdi>
        <span className="text-muted text-sm">
          <bdi>{(/\.(\w{1,5})$/.exec(file.fileName ?? '')?.[1] ?? type.split('/')[1] ?? '').toUpperCase()}</bdi>{' '}
          {file.bytes !== null && <Bytes value={file.bytes} />}
        </span>
      </span>
    </a>
  )
}

function Missing({ file }: { file: File }) {
  const t = useTranslations('message')
  return (
    <span className="flex flex-col gap-1">
      {file.thumbnailUrl && (
        <img
          src={fileAddress(file.thumbnailUrl)}
          alt={t('photo')}
          className="max-h-40 self-start rounded-lg opacity-60"
        />
      )}
      <em className="text-muted">{file.state === 'pending' ? t('pending') : t('unavailable')}</em>
    </span>
  )
}

function Picture({ file, source, download }: { file: File; source: string; download: string }) {
  const t = useTranslations('message')
  const [isOpen, setOpen] = useState(false)
  const name = file.fileName ?? t('photo')
  const isSticker = file.kind === 'sticker'
  return (
    <>
      <button type="button" onClick={() => setOpen(true)} aria-label={t('enlarge', { name })} className="max-w-full">
        <img
          src={isSticker || !file.thumbnailUrl ? source : fileAddress(file.thumbnailUrl)}
          alt={name}
          loading="lazy"
          className={isSticker ? 'size-32 object-contain' : 'max-h-72 min-h-24 w-full rounded-lg object-cover'}
        />
      </button>
      <Popup title={name} isOpen={isOpen} onClose={() => setOpen(false)}>
        <img src={source} alt={name} className="max-h-[70vh] self-center object-contain" />
        <a href={download} className="self-start underline">
          {t('download')}
        </a>
      </Popup>
    </>
  )
}

const SPEEDS = [1, 1.5, 2] as const

/** Played where it stands: time runs from left to right in any language. */
function AudioNote({ file, source }: { file: File; source: string }) {
  const t = useTranslations('message')
  const audio = useRef<HTMLAudioElement>(null)
  const [isPlaying, setPlaying] = useState(false)
  const [at, setAt] = useState(0)
  const [length, setLength] = useState(file.seconds ?? 0)
  const [speed, setSpeed] = useState<(typeof SPEEDS)[number]>(1)
  const toggle = () => {
    const element = audio.current
    if (!element) return
    element.playbackRate = speed
    if (isPlaying) element.pause()
    else void element.play()
  }
  const nextSpeed = () => {
    const next = SPEEDS[(SPEEDS.indexOf(speed) + 1) % SPEEDS.length] ?? 1
    setSpeed(next)
    if (audio.current) audio.current.playbackRate = next
  }
  return (
    <figure className="flex flex-col gap-1">
      <div dir="ltr" className="flex min-w-56 max-w-full items-center gap-2">
        <Act look="main" className="!px-2" aria-label={isPlaying ? t('pause') : t('playVoice')} onPress={toggle}>
          <Icon name={isPlaying ? 'pause' : 'play'} />
        </Act>
        <input
          type="range"
          aria-label={t('position')}
          min={0}
          max={Math.max(length, 0.1)}
          step={0.1}
          value={Math.min(at, length)}
          onChange={(event) => {
            if (audio.current) audio.current.currentTime = Number(event.target.value)
          }}
          className="min-w-0 flex-1 accent-accent"
        />
        <span className="text-muted text-sm">
          <Duration ms={(isPlaying || at > 0 ? at : length) * 1000} />
        </span>
        <Act
          look="quiet"
          className="!px-1 text-sm"
          aria-label={t('speed', { speed: String(speed) })}
          onPress={nextSpeed}
        >
          {speed}×
        </Act>
      </div>
      {/* biome-ignore lint/a11y/useMediaCaption: the transcript stands below it */}
      <audio
        ref={audio}
        preload="metadata"
        src={source}
        onPlay={(event) => {
          setPlaying(true)
          // One voice at a time.
          for (const other of document.querySelectorAll('audio')) if (other !== event.currentTarget) other.pause()
        }}
        onPause={() => setPlaying(false)}
        onEnded={() => setAt(0)}
        onTimeUpdate={(event) => setAt(event.currentTarget.currentTime)}
        onLoadedMetadata={({ currentTarget: { duration } }) => Number.isFinite(duration) && setLength(duration)}
      />
      {file.transcript && (
        <figcaption className="text-sm">
          <Written>{file.transcript}</Written>
        </figcaption>
      )}
    </figure>
  )
}
