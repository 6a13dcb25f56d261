import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, type Out, pages, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Panel, Problem } from '../../ui/fields.tsx'
import { Loaded } from '../../ui/states.tsx'
import { Ago, Written } from '../../ui/values.tsx'
import { Difference } from './difference.tsx'
import { contentOf } from './draft.ts'

type Version = Out<'receptionist.versions'>['items'][number]

/** Every version with what it changed; each can be brought back. */
export function History({ live, mayEdit }: { live: number; mayEdit: boolean }) {
  const t = useTranslations('receptionist')
  const state = useTranslations('state')
  const versions = useInfiniteQuery(pages('receptionist.versions', {}))
  const restore = useMutation({
    ...mutation('receptionist.restore'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['receptionist'] }),
  })
  const onRestore = mayEdit ? (version: number) => restore.mutate({ version, basedOn: live }) : null
  return (
    <Panel title={t('history')}>
      <p role="status">{restore.data && t('restored', { version: String(restore.data.version) })}</p>
      <Problem error={restore.error} />
      <Loaded of={versions}>
        {(data) => {
          const items = data.pages.flatMap((page) => page.items)
          if (items.length === 0) return <p className="text-muted">{t('noHistory')}</p>
          return (
            <ol className="flex flex-col gap-3">
              {items.map((version) => (
                <Row key={version.version} version={version} live={live} onRestore={onRestore} />
              ))}
              {versions.hasNextPage ? (
                <Act onPress={() => void versions.fetchNextPage()}>{state('more')}</Act>
              ) : (
                <First onRestore={onRestore} />
              )}
            </ol>
          )
        }}
      </Loaded>
    </Panel>
  )
}

type OnRestore = ((version: number) => void) | null

function First({ onRestore }: { onRestore: OnRestore }) {
  const t = useTranslations('receptionist')
  return (
    <li className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
      <strong className="flex-1">{t('versionFirst')}</strong>
      {onRestore && (
        <Act aria-label={t('restoreFirst')} onPress={() => onRestore(0)}>
          {t('restore')}
        </Act>
      )}
    </li>
  )
}

function Row({ version, live, onRestore }: { version: Version; live: number; onRestore: OnRestore }) {
  const t = useTranslations('receptionist')
  const [isOpen, setOpen] = useState(false)
  const { version: number, note, restoredFrom, actorId, actorKind, createdAt } = version
  const members = useQuery(query('members.list', { limit: 200 }))
  const member = actorKind === 'user' ? members.data?.items.find(({ userId }) => userId === actorId) : undefined
  return (
    <li className="flex flex-col gap-2 rounded-lg border border-line p-3">
      <div className="flex flex-wrap items-center gap-3">
        <span className="min-w-0 flex-1">
          <strong>{t('version', { version: String(number) })}</strong>{' '}
          <Ago at={createdAt} className="text-muted text-sm" />{' '}
          {member && <bdi className="text-muted text-sm">{t('by', { who: member.name })}</bdi>}
          {number === live && <span className="ms-2 rounded-full bg-accent-soft px-2 text-sm">{t('current')}</span>}
          {note && <Written className="block text-sm">{note}</Written>}
          {restoredFrom !== null && (
            <span className="block text-muted text-sm">
              {restoredFrom === 0 ? t('restoredFirst') : t('restoredFrom', { version: String(restoredFrom) })}
            </span>
          )}
        </span>
        <Act
          aria-expanded={isOpen}
          aria-label={t('showChanges', { version: String(number) })}
          onPress={() => setOpen((open) => !open)}
        >
          {t('difference')}
        </Act>
        {number !== live && onRestore && (
          <Act aria-label={t('restoreVersion', { version: String(number) })} onPress={() => onRestore(number)}>
            {t('restore')}
          </Act>
        )}
      </div>
      {isOpen && <VersionDifference version={number} />}
    </li>
  )
}

function VersionDifference({ version }: { version: number }) {
  const t = useTranslations('receptionist')
  const before = useQuery(query('receptionist.version', { version: version - 1 }))
  const after = useQuery(query('receptionist.version', { version }))
  return (
    <Loaded of={before}>
      {(was) => (
        <Loaded of={after}>
          {(is) => <Difference before={contentOf(was)} after={contentOf(is)} same={t('noChanges')} />}
        </Loaded>
      )}
    </Loaded>
  )
}
