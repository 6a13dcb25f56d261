import { useTranslations } from 'use-intl'
import { Act } from '../ui/buttons.tsx'
import { Icon } from '../ui/icon.tsx'
import { Bytes } from '../ui/values.tsx'
import type { DraftFile } from './composer-draft.ts'

/** The files that go with the message, seen and heard before it is sent. */
export function ComposerFiles({ files, onRemove }: { files: DraftFile[]; onRemove(key: string): void }) {
  const t = useTranslations('composer')
  if (files.length === 0) return null
  return (
    <ul aria-label={t('files')} className="flex flex-wrap gap-2">
      {files.map((file) => (
        <li
          key={file.key}
          className={`flex max-w-full items-center gap-2 rounded-xl border p-2 ${
            file.problem ? 'border-danger bg-danger-soft' : 'border-line bg-page'
          }`}
        >
          <Seen file={file} />
          <span className="min-w-0 text-sm">
            <bdi className="block max-w-48 truncate">{file.voice ? t('voiceNote') : file.name}</bdi>
            {file.problem ? (
              <span role="alert" className="block max-w-64 text-danger">
                {file.problem}
              </span>
            ) : file.sent ? (
              <Bytes value={file.bytes} />
            ) : (
              <progress aria-label={t('uploading')} value={file.progress} className="h-2 w-32 accent-accent" />
            )}
          </span>
          <Act look="quiet" aria-label={t('removeFile', { name: file.name })} onPress={() => onRemove(file.key)}>
            <Icon name="cross" />
          </Act>
        </li>
      ))}
    </ul>
  )
}

function Seen({ file }: { file: DraftFile }) {
  const t = useTranslations('composer')
  const source = file.preview ?? (file.sent ? new URL(file.sent.url).pathname : null)
  if (source && file.type.startsWith('image/'))
    return <img src={source} alt={t('preview')} className="size-16 rounded-lg object-cover" />
  if (source && file.voice)
    // biome-ignore lint/a11y/useMediaCaption: what was just recorded has no captions
    return <audio controls src={source} aria-label={t('voiceNote')} className="h-10 w-48 max-w-full sm:w-64" />
  return <Icon name="file" className="text-muted" />
}
