import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, queryClient } from '../app/trpc.ts'
import { Allowed } from '../ui/allowed.tsx'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { offerUndo } from '../ui/notice-queue.ts'
import { Clock, Written } from '../ui/values.tsx'

/** A note of the team, changed and deleted where it stands. */
export function ThreadNote({ id, at, body, contactId }: { id: string; at: string; body: string; contactId: string }) {
  const t = useTranslations()
  const [draft, setDraft] = useState<string | null>(null)
  const settled = { onSettled: () => queryClient.invalidateQueries({ queryKey: ['conversations'] }) }
  const edit = useMutation({ ...mutation('contacts.editNote'), ...settled, onSuccess: () => setDraft(null) })
  const remove = useMutation({ ...mutation('contacts.removeNote'), ...settled })
  const add = useMutation({ ...mutation('contacts.addNote'), ...settled })
  const removeNow = () =>
    remove.mutate(
      { id },
      { onSuccess: () => offerUndo(t('inbox.noteRemoved'), () => add.mutate({ id: contactId, body })) },
    )
  return (
    <div className="flex w-full max-w-md flex-col gap-2 self-center rounded-xl border border-warn bg-warn-soft px-4 py-2 text-sm">
      <div className="flex items-center gap-2">
        <strong className="flex-1">{t('entry.note')}</strong>
        <Clock at={at} className="text-muted" />
      </div>
      {draft === null ? (
        <Written>{body}</Written>
      ) : (
        <textarea
          dir="auto"
          rows={3}
          aria-label={t('inbox.editNote')}
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
          className="rounded-lg border border-line bg-page px-3 py-2"
        />
      )}
      <Allowed to="agent">
        <div className="flex flex-wrap gap-1">
          {draft === null ? (
            <>
              <Act look="quiet" onPress={() => setDraft(body)}>
                {t('inbox.editNote')}
              </Act>
              <Act look="quiet" isDisabled={remove.isPending} onPress={removeNow}>
                {t('inbox.removeNote')}
              </Act>
            </>
          ) : (
            <>
              <Act isDisabled={draft.trim() === '' || edit.isPending} onPress={() => edit.mutate({ id, body: draft })}>
                {t('state.save')}
              </Act>
              <Act look="quiet" onPress={() => setDraft(null)}>
                {t('state.cancel')}
              </Act>
            </>
          )}
        </div>
      </Allowed>
      <Problem error={edit.error ?? remove.error ?? add.error} />
    </div>
  )
}
