import { useTranslations } from 'use-intl'
import { Clock, Written } from '../ui/values.tsx'
import type { Entry } from './entry.ts'

type Message = Extract<Entry, { kind: 'message' }>['data']

/** A message as WhatsApp shows it: what it answers, its files, its text, reactions, and how far it came. */
export function MessageBubble({ message, id, at }: { message: Message; id: string; at: string }) {
  const t = useTranslations('message')
  const mine = message.direction === 'out'
  const bad = message.status === 'failed' || message.status === 'unknown'
  return (
    <article
      id={id}
      className={`flex max-w-[85%] flex-col gap-1 rounded-2xl px-3 py-2 md:max-w-lg ${
        mine ? 'self-end bg-accent-soft' : 'self-start border border-line bg-surface'
      } ${bad ? '!bg-danger-soft' : ''}`}
    >
      {message.forwarded && <small className="text-muted">{t('forwarded')}</small>}
      {message.replyTo && (
        <blockquote className="border-accent border-s-4 ps-2 text-muted text-sm">
          <span className="sr-only">{t('replyTo')} </span>
          <Written className="line-clamp-2">{message.replyTo.text ?? '…'}</Written>
        </blockquote>
      )}
      {message.deletedAt ? (
        <em className="text-muted">{t('deleted')}</em>
      ) : (
        <>
          {message.media.map((file, index) => (
            <File key={file.id ?? index} file={file} />
          ))}
          <Extra data={message.data} kind={message.kind} body={message.body} />
          {message.body !== '' && <Written>{message.body}</Written>}
        </>
      )}
      <footer className="flex flex-wrap items-center gap-2 self-end text-muted text-xs">
        {message.reactions.map(({ emoji, from }) => (
          <span key={`${emoji}${from.phone}`} className="rounded-full border border-line bg-surface px-1.5 text-base">
            {emoji}
          </span>
        ))}
        {message.editedAt && <span>{t('edited')}</span>}
        <Clock at={at} />
        {mine && (
          <span className={bad ? 'font-semibold text-danger' : ''}>
            {t(message.status)}
            {message.errorCode ? ` (${message.errorCode})` : ''}
          </span>
        )}
      </footer>
    </article>
  )
}

function File({ file }: { file: Message['media'][number] }) {
  const t = useTranslations('message')
  if (!file.url || file.state === 'pending' || file.state === 'failed' || file.state === 'unavailable')
    return <em className="text-muted">{file.state === 'pending' ? t('pending') : t('unavailable')}</em>
  const isOurs = file.state === 'stored'
  const source = isOurs ? new URL(file.url, location.origin).pathname : file.url
  if (file.kind === 'image' && file.thumbnailUrl)
    return (
      <a href={source} target="_blank" rel="noreferrer">
        <img src={file.thumbnailUrl} alt={file.fileName ?? t('photo')} loading="lazy" className="max-h-72 rounded-lg" />
      </a>
    )
  if (isOurs && file.contentType.startsWith('audio/'))
    return (
      <figure className="flex flex-col gap-1">
        {/* biome-ignore lint/a11y/useMediaCaption: the transcript stands below it */}
        <audio controls preload="none" src={source} aria-label={t('voice')} className="h-10 max-w-full" />
        {file.transcript && (
          <figcaption className="text-sm">
            <Written>{file.transcript}</Written>
          </figcaption>
        )}
      </figure>
    )
  if (isOurs && file.kind === 'video')
    // biome-ignore lint/a11y/useMediaCaption: what customers send has no captions
    return <video controls preload="none" src={source} aria-label={t('video')} className="max-h-72 rounded-lg" />
  return (
    <a href={source} target="_blank" rel="noreferrer" className="underline">
      <bdi>{file.fileName ?? t('document')}</bdi>
    </a>
  )
}

/** What a message holds beside text and files. */
function Extra({ data, kind, body }: { data: Message['data']; kind: string; body: string }) {
  const t = useTranslations('message')
  if (data && 'latitude' in data && typeof data.latitude === 'number' && 'longitude' in data)
    return (
      <a
        className="underline"
        rel="noreferrer"
        target="_blank"
        href={`https://www.google.com/maps?q=${data.latitude},${String(data.longitude)}`}
      >
        {t('location')}
      </a>
    )
  if (body === '' && kind !== 'text' && kind !== 'media') return <em className="text-muted">{t('other')}</em>
  return null
}
