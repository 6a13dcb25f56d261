import { useMutation, useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useFormatter, useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { PageError } from '../../app/errors.ts'
import { client, mutation, type Out, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { Ago, Bytes, Written } from '../../ui/values.tsx'
import { MAX_BYTES, uploadFile } from '../composer-upload.ts'

type Source = Out<'knowledgeSources.list'>['items'][number]
type Page = Out<'knowledgeSources.pages'>['items'][number]

const again = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['knowledgeSources'] }) }
const KINDS = '.pdf,.docx,.xlsx,.csv,.tsv,.txt,.md,.markdown'
/** A site says how far it is without an event of its own. */
const REFRESH_MS = 3_000
const isUnderWay = ({ state }: Source) => state === 'waiting' || state === 'reading'

/** The files and the site that the agent answers from. */
export function SourceSettings(): ReactNode {
  const t = useTranslations('sources')
  const { may } = useAccess()
  const list = useQuery({
    ...query('knowledgeSources.list', { limit: 200 }),
    refetchInterval: ({ state }) => (state.data?.items.some(isUnderWay) ? REFRESH_MS : false),
  })
  return (
    <>
      <p className="max-w-2xl text-muted">{t('intro')}</p>
      <Panel title={t('title')} wide>
        <Loaded of={list}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty>{t('empty')}</Empty>
            ) : (
              <ul aria-label={t('title')} className="flex flex-col gap-3">
                {items.map((source) => (
                  <SourceRow key={source.id} source={source} />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Panel>
      {may('manager') && (
        <>
          <AddSite />
          <AddFile />
        </>
      )}
    </>
  )
}

function SourceRow({ source }: { source: Source }) {
  const t = useTranslations('sources')
  const format = useFormatter()
  const { id, kind, title, state, reason, url, pages, bytes, readAt, nextReadAt } = source
  return (
    <li className="flex min-w-0 flex-col gap-2 rounded-lg border border-line p-3">
      <div className="flex flex-wrap items-baseline gap-x-3">
        <bdi className="min-w-0 break-words font-medium">{title}</bdi>
        <span role="status" className={state === 'unreadable' ? 'text-danger' : 'text-muted'}>
          {t(`state_${state}`)}
        </span>
      </div>
      {url && (
        <bdi dir="ltr" className="min-w-0 self-start break-all text-muted text-sm">
          {url}
        </bdi>
      )}
      {reason && <p className={state === 'unreadable' ? 'text-danger text-sm' : 'text-sm'}>{t(`reason.${reason}`)}</p>}
      <p className="flex flex-wrap gap-x-3 text-muted text-sm">
        {pages !== null && <span>{t('pages', { count: pages })}</span>}
        {bytes !== null && <Bytes value={bytes} />}
        {readAt && (
          <span>
            {t('readAt')} <Ago at={readAt} />
          </span>
        )}
        {nextReadAt && <span>{t('next', { at: format.dateTime(new Date(nextReadAt), { dateStyle: 'medium' }) })}</span>}
      </p>
      <Actions source={source} />
      {readAt && <Parts id={id} name={title} />}
      {readAt && kind === 'site' && <Changes id={id} name={title} />}
    </li>
  )
}

function Actions({ source }: { source: Source }) {
  const t = useTranslations('sources')
  const { may } = useAccess()
  const read = useMutation({ ...mutation('knowledgeSources.read'), ...again })
  const stop = useMutation({ ...mutation('knowledgeSources.stop'), ...again })
  const remove = useMutation({ ...mutation('knowledgeSources.remove'), ...again })
  const { id, readAt, nextReadAt } = source
  if (!may('manager')) return null
  return (
    <>
      <div className="flex flex-wrap gap-2">
        {!isUnderWay(source) && (
          <Act isDisabled={read.isPending} onPress={() => read.mutate({ id })}>
            {t(readAt ? 'again' : 'start')}
          </Act>
        )}
        {(isUnderWay(source) || nextReadAt) && (
          <Act isDisabled={stop.isPending} onPress={() => stop.mutate({ id })}>
            {t('stop')}
          </Act>
        )}
        <Confirm label={t('remove')} question={t('removeQuestion')} onConfirm={() => remove.mutate({ id })} />
      </div>
      <Problem error={read.error ?? stop.error ?? remove.error} />
    </>
  )
}

/** What was read, as it is found and quoted: letters in a wrong order are seen here. */
function Parts({ id, name }: { id: string; name: string }) {
  const t = useTranslations('sources')
  const [isOpen, setOpen] = useState(false)
  const parts = useQuery({ ...query('knowledgeSources.parts', { id, limit: 20 }), enabled: isOpen })
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)} aria-label={t('showOf', { name })}>
      <summary className="min-h-9 py-1">{t('show')}</summary>
      {isOpen && (
        <Loaded of={parts}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty>{t('noParts')}</Empty>
            ) : (
              <ol aria-label={t('showOf', { name })} className="mt-2 flex flex-col gap-3">
                {items.map((part) => (
                  <li key={part.id} className="flex min-w-0 flex-col gap-1 border-line border-s-2 ps-3">
                    <bdi className="break-words font-medium">{part.title}</bdi>
                    <Written className="text-sm">{part.body}</Written>
                  </li>
                ))}
              </ol>
            )
          }
        </Loaded>
      )}
    </details>
  )
}

function Changes({ id, name }: { id: string; name: string }) {
  const t = useTranslations('sources')
  const [isOpen, setOpen] = useState(false)
  const pages = useQuery({ ...query('knowledgeSources.pages', { id }), enabled: isOpen })
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)} aria-label={t('changesOf', { name })}>
      <summary className="min-h-9 py-1">{t('changes')}</summary>
      {isOpen && (
        <Loaded of={pages}>
          {({ items }) => (
            <ul aria-label={t('changesOf', { name })} className="mt-2 flex flex-col gap-3">
              {items.map((page) => (
                <PageRow key={page.id} page={page} />
              ))}
            </ul>
          )}
        </Loaded>
      )}
    </details>
  )
}

function PageRow({ page: { url, title, change, changedAt, before, body } }: { page: Page }) {
  const t = useTranslations('sources')
  const texts = [
    ['before', before],
    ['now', change === 'changed' ? body : null],
  ] as const
  return (
    <li className="flex min-w-0 flex-col gap-1 border-line border-s-2 ps-3">
      <div className="flex flex-wrap items-baseline gap-x-3">
        <bdi className="min-w-0 break-words font-medium">{title}</bdi>
        <span className={change === 'gone' ? 'text-danger text-sm' : 'text-muted text-sm'}>
          {t(`change_${change}`)} <Ago at={changedAt} />
        </span>
      </div>
      <bdi dir="ltr" className="self-start break-all text-muted text-sm">
        {url}
      </bdi>
      {texts.map(
        ([label, text]) =>
          text && (
            <details key={label}>
              <summary className="min-h-9 py-1 text-sm">{t(label)}</summary>
              <Written className="text-sm">{text}</Written>
            </details>
          ),
      )}
    </li>
  )
}

function AddSite() {
  const t = useTranslations('sources')
  const [url, setUrl] = useState('')
  const add = useMutation({
    ...mutation('knowledgeSources.addSite'),
    onSuccess: () => {
      setUrl('')
      return again.onSuccess()
    },
  })
  return (
    <Panel title={t('addSite')}>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          add.mutate({ url })
        }}
      >
        <Field label={t('address')} hint={t('addressHint')}>
          {(className) => (
            <input
              className={className}
              dir="ltr"
              inputMode="url"
              autoComplete="url"
              required
              maxLength={600}
              value={url}
              onChange={(event) => setUrl(event.target.value)}
            />
          )}
        </Field>
        <Act type="submit" look="main" className="self-start" isDisabled={add.isPending}>
          {t('readSite')}
        </Act>
        <Problem error={add.error} />
      </form>
    </Panel>
  )
}

function AddFile() {
  const t = useTranslations('sources')
  const format = useFormatter()
  const [file, setFile] = useState<File | null>(null)
  const [part, setPart] = useState(0)
  /** A new input after each file: a browser does not empty one. */
  const [round, setRound] = useState(0)
  const add = useMutation({
    mutationFn: async (chosen: File) => {
      if (chosen.size > MAX_BYTES) throw new PageError(t('tooLarge'))
      const { url } = await uploadFile(chosen, chosen.name, false, setPart)
      await client.knowledgeSources.addFile.mutate({ upload: url })
    },
    onSuccess: () => {
      setFile(null)
      setRound((before) => before + 1)
      return again.onSuccess()
    },
    onSettled: () => setPart(0),
  })
  return (
    <Panel title={t('addFile')}>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          if (file) add.mutate(file)
        }}
      >
        <Field label={t('file')} hint={t('fileHint')}>
          {(className) => (
            <input
              key={round}
              className={className}
              type="file"
              accept={KINDS}
              required
              onChange={(event) => setFile(event.target.files?.[0] ?? null)}
            />
          )}
        </Field>
        <Act type="submit" look="main" className="self-start" isDisabled={add.isPending}>
          {t('upload')}
        </Act>
        {add.isPending && <p role="status">{t('uploading', { percent: format.number(part, { style: 'percent' }) })}</p>}
        <Problem error={add.error} />
      </form>
    </Panel>
  )
}
