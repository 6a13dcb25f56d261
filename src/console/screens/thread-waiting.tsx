import { useTranslations } from 'use-intl'
import { Act } from '../ui/buttons.tsx'
import { Refused } from '../ui/fields.tsx'
import { Icon } from '../ui/icon.tsx'
import { Clock, Written } from '../ui/values.tsx'
import { discard, tryAgain, type WaitingMessage } from './composer-outbox.ts'

/** A message that the server does not have yet. */
export function WaitingBubble({ message, onEdit }: { message: WaitingMessage; onEdit(text: string): void }) {
  const t = useTranslations()
  const { key, text, shown, files, refused, isNote } = message
  return (
    <article
      className={`flex max-w-[85%] flex-col gap-1 rounded-2xl px-3 py-2 md:max-w-lg ${
        refused !== null ? 'bg-danger-soft' : isNote ? 'bg-warn-soft' : 'bg-accent-soft'
      } self-end`}
    >
      {files.map((file) =>
        file.contentType.startsWith('image/') ? (
          <img
            key={file.url}
            src={new URL(file.url).pathname}
            alt={file.fileName ?? t('message.photo')}
            className="max-h-72 rounded-lg"
          />
        ) : (
          <span key={file.url} className="flex items-center gap-2 text-sm">
            <Icon name={file.voice ? 'mic' : 'file'} />
            <bdi>{file.voice ? t('message.voice') : (file.fileName ?? t('message.document'))}</bdi>
          </span>
        ),
      )}
      {(text || shown) && <Written>{text || shown || ''}</Written>}
      <footer className="flex flex-wrap items-center gap-2 self-end text-muted text-xs">
        <Clock at={message.at} />
        {refused === null ? (
          <span className="flex items-center gap-1">
            <Icon name="clock" className="!size-4" />
            {t('composer.waiting')}
          </span>
        ) : (
          <span className="font-semibold text-danger">{t('composer.refused')}</span>
        )}
      </footer>
      {refused !== null && (
        <>
          <Refused refusal={{ code: refused }} />
          <div className="flex flex-wrap gap-1">
            <Act onPress={() => tryAgain(key)}>{t('composer.tryAgain')}</Act>
            <Act
              onPress={() => {
                onEdit(text)
                discard(key)
              }}
            >
              {t('composer.edit')}
            </Act>
            <Act look="quiet" onPress={() => discard(key)}>
              {t('composer.discard')}
            </Act>
          </div>
        </>
      )}
    </article>
  )
}
