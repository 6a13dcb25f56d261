import { useTranslations } from 'use-intl'
import { refusalOf, useRefusalText } from '../app/errors.ts'
import type { Draft, DraftFile } from './composer-draft.ts'
import { MAX_BYTES, uploadFile } from './composer-upload.ts'

type Change = (by: (old: Draft) => Draft) => void

/**
 * Adds files to a draft: each is uploaded at once, so that sending the message does not wait for it.
 * @param provider by which the message will be sent, as far as it is known
 */
export function useFiles(change: Change, provider: 'twilio' | 'baileys' | null) {
  const t = useTranslations('composer')
  const textOf = useRefusalText()
  const set = (key: string, by: Partial<DraftFile>) =>
    change((old) => ({ ...old, files: old.files.map((file) => (file.key === key ? { ...file, ...by } : file)) }))
  const add = (blob: Blob, name: string, voice: boolean) => {
    const key = crypto.randomUUID()
    const { type, size: bytes } = blob
    const preview = voice || type.startsWith('image/') ? URL.createObjectURL(blob) : null
    const problem = bytes > MAX_BYTES ? t('tooLarge') : bytes === 0 ? t('emptyFile') : null
    const file: DraftFile = { key, name, type, bytes, voice, preview, progress: 0, sent: null, problem }
    change((old) => ({ ...old, files: [...old.files, file] }))
    if (problem) return
    uploadFile(blob, name, voice, (progress) => set(key, { progress })).then(
      ({ url, contentType, fileName, providers }) => {
        const isTaken = !provider || providers.includes(provider)
        set(key, isTaken ? { sent: { url, contentType, fileName, voice } } : { problem: t('typeNotTaken') })
      },
      (error: Error) => {
        const refusal = refusalOf(error)
        set(key, { problem: refusal ? textOf(refusal).text : t('uploadFailed') })
      },
    )
  }
  return {
    add: (files: File[]) => {
      for (const file of files) add(file, file.name, false)
    },
    addRecording: add,
    remove: (key: string) =>
      change((old) => {
        const gone = old.files.find((file) => file.key === key)
        if (gone?.preview) URL.revokeObjectURL(gone.preview)
        return { ...old, files: old.files.filter((file) => file.key !== key) }
      }),
  }
}
