import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { isSame } from '../../../lib/merge.ts'
import { useAccess } from '../../app/access.ts'
import { codeOf, mutation, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Problem } from '../../ui/fields.tsx'
import { isolated } from '../../ui/values.tsx'
import { type Content, contentOf, type DraftEditing } from './draft.ts'
import { labelOf } from './fields.ts'

/** Why a draft waits for its scenarios: an owner can publish it all the same. */
const SCENARIO_CODES: ReadonlySet<string> = new Set(['scenarios_not_run', 'scenarios_running', 'scenarios_failed'])

/** Where the draft stands, and what can be done with it. */
export function DraftBar({ editing, mayEdit }: { editing: DraftEditing; mayEdit: boolean }) {
  const t = useTranslations('receptionist')
  const { state, saving, dirty, error } = editing
  const draft = useDraftActions(editing)
  const mayForce = useAccess().may('owner')
  if (!state) return null
  const { seen, mine } = state
  const changed = !isSame(contentOf(seen.live), mine)
  const isDraft = seen.exists || changed
  const { version } = seen.live
  return (
    <section
      aria-label={t('edit')}
      className="sticky top-0 z-10 flex max-w-2xl flex-col gap-2 rounded-xl border border-line bg-surface p-3"
    >
      <p className="flex flex-wrap gap-x-3">
        <strong>
          {version === 0
            ? t(isDraft ? 'draftFirst' : 'liveFirst')
            : t(isDraft ? 'draft' : 'live', { version: String(version) })}
        </strong>
        <span role="status" className="text-muted">
          {isDraft && (saving ? t('saving') : dirty ? t('unsaved') : t('savedDraft'))}
        </span>
      </p>
      {!mayEdit && <p className="text-muted">{t('readOnly')}</p>}
      <Notices editing={editing} rebase={() => draft.rebase.mutate()} />
      <Problem error={error ?? draft.error} />
      {isDraft && mayEdit && (
        <div className="flex flex-wrap gap-2">
          <Act
            look="main"
            isDisabled={!changed || seen.outdated || draft.isPending}
            onPress={() => draft.publish.mutate(false)}
          >
            {t('publish')}
          </Act>
          {mayForce && SCENARIO_CODES.has(codeOf(draft.publish.error) ?? '') && (
            <Confirm
              label={t('publishAnyway')}
              question={t('publishAnywayQuestion')}
              isDisabled={draft.isPending}
              onConfirm={() => draft.publish.mutate(true)}
            />
          )}
          <Act isDisabled={!seen.exists || draft.isPending} onPress={() => draft.discard.mutate()}>
            {t('discard')}
          </Act>
        </div>
      )}
      {!isDraft && <Done editing={editing} draft={draft} />}
    </section>
  )
}

type DraftActions = ReturnType<typeof useDraftActions>

function useDraftActions(editing: DraftEditing) {
  const [thrownAway, setThrownAway] = useState<Content | null>(null)
  const reread = () => queryClient.invalidateQueries({ queryKey: ['receptionist'] })
  const publish = useMutation({
    mutationFn: async (force: boolean) =>
      await mutation(force ? 'receptionist.forcePublish' : 'receptionist.publishDraft').mutationFn({
        revision: await editing.saved(),
      }),
    onSettled: reread,
  })
  const discard = useMutation({
    mutationFn: async () => {
      const mine = editing.state?.mine ?? null
      const view = await mutation('receptionist.discardDraft').mutationFn({ revision: await editing.saved() })
      return { mine, view }
    },
    onSuccess: ({ mine, view }) => {
      setThrownAway(mine)
      publish.reset()
      editing.accept(view)
    },
    onError: reread,
  })
  const rebase = useMutation({
    mutationFn: async () => await mutation('receptionist.rebaseDraft').mutationFn({ revision: await editing.saved() }),
    onSuccess: ({ overlaps, ...view }) => editing.accept(view, overlaps),
    onError: reread,
  })
  const restore = useMutation({ ...mutation('receptionist.restore'), onSettled: reread })
  return {
    publish,
    discard,
    rebase,
    restore,
    thrownAway,
    setThrownAway,
    error: publish.error ?? discard.error ?? rebase.error ?? restore.error,
    isPending: publish.isPending || discard.isPending || rebase.isPending,
  }
}

function Notices({ editing, rebase }: { editing: DraftEditing; rebase(): void }) {
  const t = useTranslations('receptionist')
  if (!editing.state) return null
  const { seen, overlaps } = editing.state
  return (
    <>
      {seen.outdated && (
        <div role="alert" className="flex flex-wrap items-center gap-2 rounded-lg bg-warn-soft p-2 text-warn">
          <p className="flex-1">{t('outdated', { version: String(seen.live.version) })}</p>
          <Act onPress={rebase}>{t('takeChanges')}</Act>
        </div>
      )}
      {overlaps.length > 0 && (
        <div role="alert" className="flex flex-wrap items-center gap-2 rounded-lg bg-warn-soft p-2 text-warn">
          <p className="flex-1">
            {t('overlaps', { fields: overlaps.map((path) => isolated(labelOf(t, path))).join(', ') })}
          </p>
          <Act onPress={editing.forgetOverlaps}>{t('understood')}</Act>
        </div>
      )}
    </>
  )
}

/** What was just done, and the way back. */
function Done({ editing, draft }: { editing: DraftEditing; draft: DraftActions }) {
  const t = useTranslations('receptionist')
  const state = useTranslations('state')
  const { publish, restore, thrownAway, setThrownAway } = draft
  if (thrownAway)
    return (
      <p role="status" className="flex flex-wrap items-center gap-3">
        {t('discarded')}
        <Act
          onPress={() => {
            editing.change(() => thrownAway)
            setThrownAway(null)
          }}
        >
          {state('undo')}
        </Act>
      </p>
    )
  if (!publish.data || restore.data) return null
  const { version } = publish.data
  return (
    <p role="status" className="flex flex-wrap items-center gap-3">
      {t('published', { version: String(version) })}
      <Act onPress={() => restore.mutate({ version: version - 1, basedOn: version })}>{state('undo')}</Act>
    </p>
  )
}
