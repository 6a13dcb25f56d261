import { useMutation, useQuery } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { FileTrigger } from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { useFindingText } from '../app/errors.ts'
import { client, mutation, type Out, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field, Problem } from '../ui/fields.tsx'
import { Popup } from '../ui/popup.tsx'
import { national } from '../ui/values.tsx'

type Preview = Out<'imports.preview'>

const MAX_BYTES = 7_800_000
const FIELDS = [
  'phone',
  'name',
  'first name',
  'middle name',
  'last name',
  'company',
  'email',
  'tags',
  'note',
  'opted out',
] as const

/** A file of contacts: read, looked at with the meaning of each column, and only then written. */
export function ContactsImport({ onClose }: { onClose(): void }) {
  const t = useTranslations('contact')
  const [file, setFile] = useState<{ name: string; base64: string } | null>(null)
  const [mapping, setMapping] = useState<Record<string, string> | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const preview = useMutation(mutation('imports.preview'))
  const start = useMutation(mutation('imports.create'))
  const id = useRef<string>(crypto.randomUUID())
  const read = (base64: string, next: Record<string, string> | null) =>
    preview.mutate(
      { kind: 'contacts', file: base64, ...(next ? { mapping: next } : {}) },
      { onSuccess: (data) => setMapping(data.mapping) },
    )
  const choose = async (chosen: File | undefined) => {
    if (!chosen) return
    if (chosen.size > MAX_BYTES || chosen.size === 0) return setProblem(t('importTooLarge'))
    setProblem(null)
    const base64 = await toBase64(chosen)
    setFile({ name: chosen.name, base64 })
    read(base64, null)
  }
  const map = (column: string, field: string) => {
    if (!file || !mapping) return
    const { [column]: _, ...others } = mapping
    const next = field === '' ? others : { ...mapping, [column]: field }
    setMapping(next)
    read(file.base64, next)
  }
  const started = start.data
  return (
    <Popup title={t('import')} isOpen onClose={onClose}>
      {started ? (
        <Progress id={started.id} onClose={onClose} />
      ) : (
        <>
          <p className="text-muted text-sm">{t('importHint')}</p>
          <FileTrigger acceptedFileTypes={['.csv', 'text/csv', '.txt']} onSelect={(list) => void choose(list?.[0])}>
            <Act className="self-start">{file ? t('importOther') : t('importChoose')}</Act>
          </FileTrigger>
          {file && <bdi className="text-sm">{file.name}</bdi>}
          {problem && (
            <p role="alert" className="text-danger text-sm">
              {problem}
            </p>
          )}
          <Problem error={preview.error ?? start.error} />
          {preview.data && mapping && (
            <Shown preview={preview.data} mapping={mapping} onMap={map} isReading={preview.isPending} />
          )}
          {preview.data && file && mapping && (
            <Act
              look="main"
              isDisabled={preview.isPending || start.isPending || preview.data.created + preview.data.updated === 0}
              onPress={() => start.mutate({ id: id.current, kind: 'contacts', file: file.base64, mapping })}
            >
              {t('importNow', { count: preview.data.created + preview.data.updated })}
            </Act>
          )}
        </>
      )}
    </Popup>
  )
}

function Shown({
  preview,
  mapping,
  onMap,
  isReading,
}: {
  preview: Preview
  mapping: Record<string, string>
  onMap(column: string, field: string): void
  isReading: boolean
}) {
  const t = useTranslations('contact')
  return (
    <div aria-busy={isReading} className="flex flex-col gap-4">
      <p role="status">
        {t('importWould', {
          created: String(preview.created),
          updated: String(preview.updated),
          existing: String(preview.existing),
          rejected: String(preview.rejected),
        })}
      </p>
      {preview.columns.map((column) => (
        <Field key={column} label={t('importColumn', { column })}>
          {(className) => (
            <select
              value={mapping[column] ?? ''}
              onChange={(event) => onMap(column, event.target.value)}
              className={className}
            >
              <option value="">{t('importLeaveOut')}</option>
              {FIELDS.map((field) => (
                <option key={field} value={field}>
                  {t(`importFields.${field}`)}
                </option>
              ))}
              <option value={`custom:${column.slice(0, 60)}`}>{t('importOwn')}</option>
            </select>
          )}
        </Field>
      ))}
      {preview.notices.map((notice) => (
        <p key={notice} className="text-muted text-sm">
          <bdi>{notice}</bdi>
        </p>
      ))}
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by the keyboard
        tabIndex={0}
        aria-label={t('importRows')}
        className="max-h-64 overflow-auto rounded-lg border border-line"
      >
        <table className="w-full text-start text-sm">
          <thead>
            <tr className="bg-raised">
              <th className="p-2 text-start">{t('importRow')}</th>
              <th className="p-2 text-start">{t('name')}</th>
              <th className="p-2 text-start">{t('phone')}</th>
              <th className="p-2 text-start">{t('importOutcome')}</th>
            </tr>
          </thead>
          <tbody>
            {preview.rows.map((row) => (
              <tr key={row.row} className="border-line border-t">
                <td className="p-2">{row.row}</td>
                <td className="p-2">
                  <bdi>{row.name}</bdi>
                </td>
                <td className="p-2">
                  <bdi dir="ltr">{row.phone && national(row.phone)}</bdi>
                </td>
                <td className={`p-2 ${row.outcome === 'rejected' ? 'text-danger' : ''}`}>
                  {t(`importOutcomes.${row.outcome}`)}
                  {row.errors[0] && <RowError error={row.errors[0]} />}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </div>
  )
}

function RowError({ error }: { error: Out<'imports.preview'>['rows'][number]['errors'][number] }) {
  const textOf = useFindingText()
  return (
    <span className="block text-xs" title={error.message}>
      {error.column && <bdi>{error.column}: </bdi>}
      {textOf(error)}
    </span>
  )
}

function Progress({ id, onClose }: { id: string; onClose(): void }) {
  const t = useTranslations()
  const found = useQuery({
    ...query('imports.get', { id }),
    refetchInterval: ({ state }) => (isOver(state.data?.state) ? false : 700),
  })
  const data = found.data
  if (!data || !isOver(data.state))
    return (
      <p role="status" className="flex flex-col gap-2">
        {t('contact.importRunning')}
        <progress
          aria-label={t('contact.importRunning')}
          max={Math.max(1, data?.total ?? 1)}
          value={data?.processed ?? 0}
          className="w-full accent-accent"
        />
      </p>
    )
  return (
    <>
      <p role="status">
        {data.failure
          ? data.failure
          : t('contact.importDone', {
              created: String(data.created),
              updated: String(data.updated),
              rejected: String(data.rejected),
            })}
      </p>
      {data.rejected > 0 && <Rejected id={id} />}
      <Act
        look="main"
        onPress={() => {
          void queryClient.invalidateQueries({ queryKey: ['contacts'] })
          onClose()
        }}
      >
        {t('state.close')}
      </Act>
    </>
  )
}

/** The rows that were left out, to be corrected and imported again. */
function Rejected({ id }: { id: string }) {
  const t = useTranslations('contact')
  const rejected = useQuery({ queryKey: ['imports', 'rejected', id], queryFn: () => readRejected(id) })
  if (!rejected.data) return null
  const href = `data:text/csv;charset=utf-8,${encodeURIComponent(`\uFEFF${rejected.data}`)}`
  return (
    <a href={href} download="rejected.csv" className="underline">
      {t('importRejected')}
    </a>
  )
}

async function readRejected(id: string): Promise<string> {
  const parts: string[] = []
  for (let cursor: number | null | undefined; cursor !== null; ) {
    const page: Out<'imports.rejected'> = await client.imports.rejected.query({ id, ...(cursor ? { cursor } : {}) })
    parts.push(page.csv)
    cursor = page.nextCursor
  }
  return parts.join('')
}

const isOver = (state: string | undefined) => state === 'done' || state === 'failed'

function toBase64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ''))
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(file)
  })
}
