import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { query } from '../app/trpc.ts'
import { Heading, Loaded } from '../ui/states.tsx'
import { Ago, Phone, Written } from '../ui/values.tsx'

const SHOWN = 5

/** What waits for a person, the most urgent first; every line leads to its place. */
export function Today() {
  const t = useTranslations('today')
  const unread = useQuery(query('conversations.list', { unread: true, limit: 20 }))
  const board = useQuery(query('leads.board', { perStage: 20 }))
  const failed = useQuery(query('messages.list', { status: 'failed', limit: 20 }))
  const calls = useQuery(query('calls.list', { limit: 50 }))
  const newLeads = board.data?.columns[0]?.items ?? []
  const voicemails =
    calls.data?.items.filter(({ answeredBy, state }) => answeredBy === 'voicemail' && state === 'ended') ?? []
  const dayAgo = Date.now() - 24 * 3_600_000
  const recent = calls.data?.items.filter(({ startedAt }) => new Date(startedAt).getTime() > dayAgo) ?? []
  return (
    <>
      <Heading>{t('title')}</Heading>
      <div className="min-h-0 flex-1 overflow-y-auto p-4">
        <Loaded of={unread}>
          {({ items }) => (
            <div className="grid gap-4 md:grid-cols-2 xl:grid-cols-3">
              {items.length + newLeads.length + voicemails.length + (failed.data?.items.length ?? 0) === 0 && (
                <p className="rounded-xl border border-line bg-surface p-4">{t('nothing')}</p>
              )}
              <Waiting title={t('unread')} count={items.length}>
                {items.slice(0, SHOWN).map((item) => (
                  <Link key={item.id} to="/inbox" search={{ view: 'all', contact: item.contactId }} className={LINE}>
                    <span className="min-w-0 flex-1 truncate">
                      {item.contactName ? <bdi>{item.contactName}</bdi> : item.phone && <Phone value={item.phone} />}
                    </span>
                    <Ago at={item.lastEventAt} className="text-muted text-sm" />
                  </Link>
                ))}
              </Waiting>
              <Waiting title={t('voicemails')} count={voicemails.length}>
                {voicemails.slice(0, SHOWN).map((item) => (
                  <Link key={item.id} to="/calls/$callId" params={{ callId: item.id }} className={LINE}>
                    <span className="min-w-0 flex-1 truncate">
                      {item.contactName ? <bdi>{item.contactName}</bdi> : <Phone value={item.from} />}
                    </span>
                    <Ago at={item.startedAt} className="text-muted text-sm" />
                  </Link>
                ))}
              </Waiting>
              <Waiting title={t('newLeads')} count={newLeads.length}>
                {newLeads.slice(0, SHOWN).map((lead) => (
                  <Link key={lead.id} to="/leads" className={LINE}>
                    <span className="min-w-0 flex-1">
                      <span className="block truncate">
                        {lead.name ? <bdi>{lead.name}</bdi> : lead.phone && <Phone value={lead.phone} />}
                      </span>
                      {lead.inquiry && <Written className="line-clamp-1 text-muted text-sm">{lead.inquiry}</Written>}
                    </span>
                    <Ago at={lead.createdAt} className="text-muted text-sm" />
                  </Link>
                ))}
              </Waiting>
              <Waiting title={t('failed')} count={failed.data?.items.length ?? 0}>
                {failed.data?.items.slice(0, SHOWN).map((message) => (
                  <Link
                    key={message.id}
                    to="/inbox"
                    search={{ view: 'all', contact: message.contactId }}
                    className={LINE}
                  >
                    <Written className="line-clamp-1 flex-1">{message.body}</Written>
                    <Ago at={message.createdAt} className="text-muted text-sm" />
                  </Link>
                ))}
              </Waiting>
              <section className="rounded-xl border border-line bg-surface p-4">
                <h2 className="font-semibold">{t('overnight')}</h2>
                <p className="mt-2 text-2xl">{t('calls', { count: recent.length })}</p>
              </section>
            </div>
          )}
        </Loaded>
      </div>
    </>
  )
}

const LINE = 'flex items-center gap-3 rounded-lg px-2 py-2 hover:bg-raised'

function Waiting({ title, count, children }: { title: string; count: number; children: React.ReactNode }) {
  if (count === 0) return null
  return (
    <section className="rounded-xl border border-line bg-surface p-4">
      <h2 className="mb-2 flex justify-between font-semibold">
        {title}
        <span className="rounded-full bg-warn-soft px-2 text-warn">{count}</span>
      </h2>
      {children}
    </section>
  )
}
