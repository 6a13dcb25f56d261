import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { FileTrigger } from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { mutation, type Out, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Problem } from '../../ui/fields.tsx'

type Imported = Out<'catalogue.importFile'>
const MAX_BYTES = 2_000_000
const FIELDS = ['sku', 'name', 'description', 'price', 'currency', 'picture', 'state', 'stock'] as const

/** A file of items: read first, and written when it was looked at. */
export function CatalogueImport({ onClose }: { onClose(): void }) {
  const t = useTranslations('catalogue')
  const [file, setFile] = useState<{ name: string; base64: string } | null>(null)
  const [tooLarge, setTooLarge] = useState(false)
  const look = useMutation(mutation('catalogue.importFile'))
  const write = useMutation({
    ...mutation('catalogue.importFile'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['catalogue'] }),
  })
  const choose = async (chosen: File | undefined) => {
    if (!chosen) return
    const isWrong = chosen.size === 0 || chosen.size > MAX_BYTES
    setTooLarge(isWrong)
    if (isWrong) return
    write.reset()
    const base64 = await toBase64(chosen)
    setFile({ name: chosen.name, base64 })
    look.mutate({ file: base64, dryRun: true })
  }
  return (
    <Dialog title={t('import')} onClose={onClose}>
      <div className="flex flex-col gap-4">
        <p className="text-muted text-sm">{t('importHint')}</p>
        <FileTrigger acceptedFileTypes={['.csv', 'text/csv', '.txt']} onSelect={(list) => void choose(list?.[0])}>
          <Act className="self-start">{file ? t('importOther') : t('importChoose')}</Act>
        </FileTrigger>
        {file && <bdi className="break-all text-sm">{file.name}</bdi>}
        {tooLarge && (
          <p role="alert" className="text-danger text-sm">
            {t('importTooLarge')}
          </p>
        )}
        <Problem error={look.error ?? write.error} />
        {write.data ? (
          <p role="status">{t('imported', { created: write.data.created, updated: write.data.updated })}</p>
        ) : (
          look.data && <Looked imported={look.data} />
        )}
        {look.data && file && !write.data && (
          <Act
            look="main"
            isDisabled={write.isPending || look.data.created === 0}
            onPress={() => write.mutate({ file: file.base64 })}
          >
            {t('importNow', { count: look.data.created })}
          </Act>
        )}
      </div>
    </Dialog>
  )
}

function Looked({ imported }: { imported: Imported }) {
  const t = useTranslations('catalogue')
  const fieldOf = (field: string) => {
    const known = FIELDS.find((each) => each === field)
    return known ? t(known) : t('asAttribute')
  }
  return (
    <>
      <ul aria-label={t('columns')} className="flex flex-col gap-1 text-sm">
        {imported.columns.map(({ heading, field }) => (
          <li key={heading}>
            <bdi>{heading}</bdi>
            <span className="text-muted"> → {fieldOf(field)}</span>
          </li>
        ))}
      </ul>
      {imported.rejectedCount > 0 && (
        <details className="text-sm">
          <summary className="text-danger">{t('rejected', { count: imported.rejectedCount })}</summary>
          <ul className="mt-1 flex flex-col gap-1">
            {imported.rejected.map(({ row, code }) => (
              <li key={row}>{t('rejectedRow', { row, why: t(`why.${code}`) })}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  )
}

function toBase64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ''))
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(file)
  })
}
