import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { Icon } from '../ui/icon.tsx'
import { offerUndo } from '../ui/notice-queue.ts'
import { LoadFailed } from '../ui/states.tsx'
import { Ago, Clock, isolated, Phone, Written } from '../ui/values.tsx'

const SHOWN = 6
const LINE = 'flex min-w-0 flex-1 items-center gap-3 rounded-lg px-2 py-2 hover:bg-raised'

/** Every list of what waits; what is done goes at once, and comes back with one press. */
export function TodayLists({ today }: { today: { from: string; to: string } }) {
  return (
    <>
      <Voicemails />
      <Leads />
      <Unanswered />
      <Failed />
      <Accounts />
      <Appointments today={today} />
    </>
  )
}

/** Does something and reads anew what it changes. */
function useDo<P extends Parameters<typeof mutation>[0]>(path: P, ...keys: string[]) {
  return useMutation({
    ...mutation(path),
    onSettled: () => Promise.all(keys.map((key) => queryClient.invalidateQueries({ queryKey: [key] }))),
  })
}

const Who = ({ name, phone }: { name: string | null; phone: string | null }) => (
  <span className="min-w-0 flex-1 truncate">{name ? <bdi>{name}</bdi> : phone && <Phone value={phone} />}</span>
)

function Voicemails() {
  const t = useTranslations('today')
  const list = useQuery(query('recordings.list', { heard: false, limit: 20 }))
  const mark = useDo('recordings.mark', 'recordings', 'calls')
  return (
    <Waiting id="voicemails" title={t('voicemails')} of={list} error={mark.error}>
      {list.data?.items.slice(0, SHOWN).map((item) => (
        <Line
          key={item.id}
          doneLabel={t('markHeard')}
          onDone={() => {
            mark.mutate({ id: item.id, heard: true })
            offerUndo(t('heard'), () => mark.mutate({ id: item.id, heard: false }))
          }}
        >
          <Link to="/calls/$callId" params={{ callId: item.callId }} className={LINE}>
            <Who name={item.contactName} phone={item.from} />
            <Ago at={item.recordedAt} className="text-muted text-sm" />
          </Link>
        </Line>
      ))}
    </Waiting>
  )
}

/** Those in the first stage: a call back moves them to the second. */
function Leads() {
  const t = useTranslations('today')
  const board = useQuery(query('leads.board', { perStage: 20 }))
  const move = useDo('leads.move', 'leads')
  const [first, second] = board.data?.columns ?? []
  const items = first?.items ?? []
  return (
    <Waiting
      id="leads"
      title={t('newLeads')}
      of={{ ...board, data: board.data && { items, count: first?.count } }}
      error={move.error}
    >
      {items.slice(0, SHOWN).map((lead) => (
        <Line
          key={lead.id}
          doneLabel={t('calledBack')}
          onDone={
            second &&
            (() => {
              move.mutate({ id: lead.id, stage: second.stage.key, afterId: null })
              offerUndo(t('movedTo', { stage: isolated(second.stage.name) }), () =>
                move.mutate({ id: lead.id, stage: lead.stage, afterId: null }),
              )
            })
          }
        >
          <Link to="/leads" search={{ lead: lead.id }} className={LINE}>
            <span className="min-w-0 flex-1">
              <span className="flex">
                <Who name={lead.name ?? lead.contactName} phone={lead.phone} />
              </span>
              {lead.inquiry && <Written className="line-clamp-1 text-muted text-sm">{lead.inquiry}</Written>}
              {lead.callbackTime && <Written className="block text-sm text-warn">{lead.callbackTime}</Written>}
            </span>
            <Ago at={lead.createdAt} className="text-muted text-sm" />
          </Link>
        </Line>
      ))}
    </Waiting>
  )
}

function Unanswered() {
  const t = useTranslations('today')
  const list = useQuery(query('conversations.list', { unread: true, limit: 20 }))
  const mark = useDo('conversations.mark', 'conversations')
  return (
    <Waiting id="unanswered" title={t('unread')} of={list} error={mark.error}>
      {list.data?.items.slice(0, SHOWN).map((item) => (
        <Line
          key={item.id}
          doneLabel={t('markRead')}
          onDone={() => {
            mark.mutate({ id: item.id, unread: false })
            offerUndo(t('read'), () => mark.mutate({ id: item.id, unread: true }))
          }}
        >
          <Link to="/inbox" search={{ view: 'all', contact: item.contactId }} className={LINE}>
            <Who name={item.contactName} phone={item.phone} />
            <Ago at={item.lastEventAt} className="text-muted text-sm" />
          </Link>
        </Line>
      ))}
    </Waiting>
  )
}

function Failed() {
  const t = useTranslations('today')
  const list = useQuery(query('messages.list', { status: 'failed', handled: false, limit: 20 }))
  const handle = useDo('messages.handle', 'messages')
  return (
    <Waiting id="failed" title={t('failed')} of={list} error={handle.error}>
      {list.data?.items.slice(0, SHOWN).map((message) => (
        <Line
          key={message.id}
          doneLabel={t('setAside')}
          onDone={() => {
            handle.mutate({ id: message.id, handled: true })
            offerUndo(t('wasSetAside'), () => handle.mutate({ id: message.id, handled: false }))
          }}
        >
          <Link to="/inbox" search={{ view: 'all', contact: message.contactId }} className={LINE}>
            <span className="min-w-0 flex-1">
              <span className="flex">
                <Who name={message.contactName} phone={message.phone} />
              </span>
              <Written className="line-clamp-1 text-muted text-sm">{message.body}</Written>
            </span>
            <Ago at={message.createdAt} className="text-muted text-sm" />
          </Link>
        </Line>
      ))}
    </Waiting>
  )
}

function Accounts() {
  const t = useTranslations('today')
  const list = useQuery(query('whatsapp.list'))
  const items = list.data?.items.filter(({ state }) => state !== 'working' && state !== 'starting') ?? []
  return (
    <Waiting id="accounts" title={t('accounts')} of={{ ...list, data: list.data && { items } }} error={null}>
      {items.slice(0, SHOWN).map((account) => (
        <Line key={account.id}>
          <Link to="/settings" search={{ part: 'whatsapp' }} className={LINE}>
            <Who name={account.phone ? null : t('newAccount')} phone={account.phone} />
            <span className="text-sm text-warn">{t('linkNow')}</span>
          </Link>
        </Line>
      ))}
    </Waiting>
  )
}

function Appointments({ today }: { today: { from: string; to: string } }) {
  const t = useTranslations('today')
  const list = useQuery(query('appointments.list', { ...today, limit: 50 }))
  const confirm = useDo('appointments.confirm', 'appointments')
  return (
    <section aria-labelledby="appointments" className="rounded-xl border border-line bg-surface p-4">
      <h2 id="appointments" className="mb-2 font-semibold">
        {t('appointments')}
      </h2>
      <Reading of={list} />
      {list.data?.items.length === 0 && <p className="text-muted">{t('noAppointments')}</p>}
      <ul>
        {list.data?.items.map((item) => (
          <Line
            key={item.id}
            doneLabel={t('confirm')}
            onDone={
              item.confirmedAt
                ? undefined
                : () => {
                    confirm.mutate({ id: item.id, confirmed: true })
                    offerUndo(t('confirmed'), () => confirm.mutate({ id: item.id, confirmed: false }))
                  }
            }
          >
            <Link to="/calendar" search={{ view: 'day', appointment: item.id }} className={LINE}>
              <Clock at={item.startsAt} className="font-semibold tabular-nums" />
              <Who name={item.name ?? item.contactName} phone={item.phone} />
            </Link>
          </Line>
        ))}
      </ul>
      <Problem error={confirm.error} />
    </section>
  )
}

/** A list with its count; nothing while it is empty, so that what is left is what waits. */
function Waiting({
  id,
  title,
  of,
  error,
  children,
}: {
  id: string
  title: string
  of: {
    data: { items: unknown[]; count?: number | undefined } | undefined
    error: Error | null
    refetch(): Promise<unknown>
  }
  error: Error | null
  children: ReactNode
}) {
  const t = useTranslations('today')
  const count = of.data?.count ?? of.data?.items.length ?? 0
  if (!error && of.data && count === 0) return null
  return (
    <section data-waiting aria-labelledby={id} className="rounded-xl border border-line bg-surface p-4">
      <h2 id={id} className="mb-2 flex justify-between font-semibold">
        {title}
        {of.data && <span className="rounded-full bg-warn-soft px-2 text-warn">{count}</span>}
      </h2>
      <Reading of={of} />
      <ul>{children}</ul>
      {count > SHOWN && <p className="px-2 pt-1 text-muted text-sm">{t('andMore', { count: count - SHOWN })}</p>}
      <Problem error={error} />
    </section>
  )
}

/** While a list is read, and when that failed: no figure is shown that is none. */
function Reading({ of }: { of: { data: unknown; error: Error | null; refetch(): Promise<unknown> } }) {
  const t = useTranslations('state')
  if (of.data !== undefined) return null
  if (of.error) return <LoadFailed error={of.error} onRetry={() => void of.refetch()} />
  return (
    <p role="status" className="text-muted">
      {t('loading')}
    </p>
  )
}

function Line({
  doneLabel,
  onDone,
  children,
}: {
  doneLabel?: string
  onDone?: (() => void) | undefined
  children: ReactNode
}) {
  const mayWork = useAccess().may('agent')
  return (
    <li className="flex items-center gap-1">
      {children}
      {doneLabel && onDone && mayWork && (
        <Act look="quiet" aria-label={doneLabel} onPress={onDone}>
          <Icon name="check" />
        </Act>
      )}
    </li>
  )
}
