import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useState } from 'react'
import { useTranslations } from 'use-intl'
import { query } from '../app/trpc.ts'
import { Icon } from '../ui/icon.tsx'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { Phone, Written } from '../ui/values.tsx'
import { Conversations, type View } from './inbox-list.tsx'

const inbox = getRouteApi('/inbox')
// The list is usable before what writes and plays messages has come.
const Thread = lazy(() => import('./thread.tsx').then((module) => ({ default: module.Thread })))
const ContactPanel = lazy(() => import('./contact-panel.tsx').then((module) => ({ default: module.ContactPanel })))
const VIEWS: View[] = ['all', 'mine', 'unassigned', 'snoozed', 'closed']
/** Conversations on one side, the chosen one beside it; on a phone one after the other. */
export function Inbox() {
  const t = useTranslations('inbox')
  const { contact } = inbox.useSearch()
  const [details, setDetails] = useState(false)
  return (
    <div className="flex min-h-0 flex-1">
      <h1 className="sr-only">{t('title')}</h1>
      <section
        aria-label={t('list')}
        className={`${contact ? 'hidden md:flex' : 'flex'} w-full flex-col border-line border-e md:w-80 lg:w-96`}
      >
        <Heading level={2}>{t('title')}</Heading>
        <List />
      </section>
      <section aria-label={t('thread')} className={`${contact ? 'flex' : 'hidden md:flex'} min-w-0 flex-1 flex-col`}>
        {contact ? (
          <Suspense>
            <Thread key={contact} contactId={contact} onDetails={() => setDetails(!details)} />
          </Suspense>
        ) : (
          <Empty icon="chat">{t('choose')}</Empty>
        )}
      </section>
      {contact && details && (
        <aside
          aria-label={t('details')}
          className="absolute inset-0 z-10 overflow-y-auto border-line border-s bg-surface md:static md:w-80"
        >
          <Suspense>
            <ContactPanel key={contact} contactId={contact} onClose={() => setDetails(false)} />
          </Suspense>
        </aside>
      )}
    </div>
  )
}

function List() {
  const t = useTranslations('inbox')
  const search = inbox.useSearch()
  const navigate = useNavigate({ from: '/inbox' })
  const [text, setText] = useState(search.q ?? '')
  useEffect(() => {
    const timer = setTimeout(
      () => void navigate({ search: (old) => ({ ...old, q: text || undefined }), replace: true }),
      250,
    )
    return () => clearTimeout(timer)
  }, [text, navigate])
  return (
    <>
      <div className="flex flex-col gap-2 border-line border-b bg-surface p-3">
        <input
          type="search"
          id="search"
          dir="auto"
          aria-label={t('search')}
          placeholder={t('search')}
          value={text}
          onChange={(event) => setText(event.target.value)}
          className="w-full rounded-lg border border-line bg-page px-3 py-2"
        />
        <div className="flex flex-wrap justify-between gap-y-1">
          {VIEWS.map((view) => (
            <button
              key={view}
              type="button"
              aria-pressed={search.view === view}
              onClick={() => void navigate({ search: (old) => ({ ...old, view }) })}
              className="rounded-full px-2 py-1 text-muted text-sm hover:bg-raised aria-pressed:bg-accent-soft aria-pressed:text-ink"
            >
              {t(view)}
            </button>
          ))}
          <button
            type="button"
            aria-pressed={search.unread === true}
            onClick={() => void navigate({ search: (old) => ({ ...old, unread: old.unread ? undefined : true }) })}
            className="rounded-full px-2 py-1 text-muted text-sm hover:bg-raised aria-pressed:bg-accent-soft aria-pressed:text-ink"
          >
            {t('unreadOnly')}
          </button>
        </div>
      </div>
      {search.q && search.q.length > 1 ? <Found q={search.q} /> : <Conversations />}
    </>
  )
}

/** Arrows move between the rows of a list. */
function moveFocus(event: React.KeyboardEvent<HTMLElement>) {
  const step =
    event.key === 'ArrowDown' ? 'nextElementSibling' : event.key === 'ArrowUp' ? 'previousElementSibling' : null
  if (!step) return
  event.preventDefault()
  event.currentTarget.parentElement?.[step]?.querySelector('button')?.focus()
}

function Found({ q }: { q: string }) {
  const t = useTranslations('state')
  const navigate = useNavigate({ from: '/inbox' })
  const found = useQuery(query('search.all', { q, limit: 20 }))
  return (
    <Loaded of={found}>
      {({ contacts, messages }) => {
        if (contacts.length + messages.length === 0) return <Empty>{t('noResults')}</Empty>
        const open = (contact: string) => void navigate({ search: (old) => ({ ...old, contact }) })
        return (
          <ul className="min-h-0 flex-1 overflow-y-auto">
            {contacts.map((contact) => (
              <li key={contact.id}>
                <button
                  type="button"
                  onClick={() => open(contact.id)}
                  onKeyDown={moveFocus}
                  className="flex w-full flex-col border-line border-b px-4 py-3 text-start hover:bg-raised"
                >
                  {contact.name && <bdi className="truncate">{contact.name}</bdi>}
                  {contact.phone && <Phone value={contact.phone} />}
                </button>
              </li>
            ))}
            {messages.map((message) => (
              <li key={message.id}>
                <button
                  type="button"
                  onClick={() => message.contactId && open(message.contactId)}
                  onKeyDown={moveFocus}
                  className="flex w-full items-center gap-2 border-line border-b px-4 py-3 text-start hover:bg-raised"
                >
                  <Icon name="chat" className="text-muted" />
                  <span className="min-w-0 flex-1">
                    <bdi className="block truncate text-sm">{message.contactName}</bdi>
                    <Written className="line-clamp-2 text-muted text-sm">{message.text}</Written>
                  </span>
                </button>
              </li>
            ))}
          </ul>
        )
      }}
    </Loaded>
  )
}
