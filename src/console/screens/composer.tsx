import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Icon } from '../ui/icon.tsx'
import type { Entry } from './entry.ts'

const WINDOW_MS = 24 * 3_600_000

/** Sends a message to the contact, or adds a note for the team. The draft stays stored until the server has accepted it. */
export function Composer({ contactId, items }: { contactId: string; items: Entry[] }) {
  const t = useTranslations('inbox')
  const draftKey = `draft-${contactId}`
  const [text, setText] = useState(() => localStorage.getItem(draftKey) ?? '')
  const [isNote, setIsNote] = useState(false)
  const contact = useQuery(query('contacts.get', { id: contactId }))
  const refresh = () => queryClient.invalidateQueries({ queryKey: ['conversations'] })
  const done = () => {
    sentKeys.clear()
    store('')
    void refresh()
  }
  const send = useMutation({ ...mutation('messages.send'), onSuccess: done })
  const note = useMutation({ ...mutation('contacts.addNote'), onSuccess: done })
  const store = (value: string) => {
    setText(value)
    if (value === '') localStorage.removeItem(draftKey)
    else localStorage.setItem(draftKey, value)
  }
  const phone = contact.data?.phone
  const optedOut = contact.data?.optedOutAt != null
  const lastInbound = items.findLast((entry) => entry.kind === 'message' && entry.data.direction === 'in')
  const isShut =
    lastInbound?.kind === 'message' &&
    lastInbound.data.provider === 'twilio' &&
    Date.now() - new Date(lastInbound.at).getTime() > WINDOW_MS
  const busy = send.isPending || note.isPending
  const mayWrite = isNote || (phone && !optedOut)
  const submit = () => {
    const body = text.trim()
    if (body === '' || busy || !mayWrite) return
    if (isNote) note.mutate({ id: contactId, body })
    // The key makes a repeated press, or one after a lost answer, the same message.
    else if (phone) send.mutate({ to: phone, text: body, idempotencyKey: keyOf(contactId, body, items.at(-1)?.id) })
  }
  const problem = send.error ?? note.error
  return (
    <form
      className={`flex flex-col gap-2 border-line border-t p-3 ${isNote ? 'bg-warn-soft' : 'bg-surface'}`}
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      {!isNote && optedOut && <p className="text-danger text-sm">{t('optedOut')}</p>}
      {!isNote && isShut && <p className="text-sm text-warn">{t('window')}</p>}
      {problem && (
        <p role="alert" className="text-danger text-sm">
          {problem.message}
        </p>
      )}
      <div className="flex items-end gap-2">
        <textarea
          id="composer"
          dir="auto"
          rows={Math.min(6, text.split('\n').length)}
          value={text}
          aria-label={isNote ? t('notePlaceholder') : t('write')}
          placeholder={isNote ? t('notePlaceholder') : t('write')}
          onChange={(event) => store(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault()
              submit()
            }
          }}
          className="min-h-11 flex-1 resize-none rounded-xl border border-line bg-page px-3 py-2"
        />
        <Act type="submit" look="main" isDisabled={text.trim() === '' || busy || !mayWrite} className="min-h-11">
          <Icon name="send" className="rtl:-scale-x-100" />
          <span className="hidden sm:inline">{t('send')}</span>
          <span className="sr-only sm:hidden">{t('send')}</span>
        </Act>
      </div>
      <label className="flex items-center gap-2 text-muted text-sm">
        <input
          type="checkbox"
          checked={isNote}
          onChange={(event) => setIsNote(event.target.checked)}
          className="size-4"
        />
        {t('note')} ({t('noteHint')})
      </label>
    </form>
  )
}

const sentKeys = new Map<string, string>()

/** One key for the same text until it was accepted: written again after that it is another message. */
function keyOf(contactId: string, body: string, lastId: string | undefined): string {
  const name = JSON.stringify([contactId, body, lastId])
  const key = sentKeys.get(name) ?? crypto.randomUUID()
  sentKeys.set(name, key)
  return key
}
