import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTimeZone, useTranslations } from 'use-intl'
import { pages, query } from '../../app/trpc.ts'
import { addDays, momentAt } from '../../ui/days.ts'
import { Field, Panel } from '../../ui/fields.tsx'
import { More } from '../../ui/more.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { Ago } from '../../ui/values.tsx'

const ENTITIES = [
  'lead',
  'contact',
  'conversation',
  'message',
  'call',
  'recording',
  'appointment',
  'service',
  'staff',
  'payment',
  'note',
  'receptionist',
  'business_text',
  'knowledge_gap',
  'catalogue_item',
  'business',
  'phone_number',
  'whatsapp_account',
  'member',
  'invitation',
  'knowledge_source',
  'user',
  'api_key',
  'credentials',
  'webhook',
  'import',
] as const
type Entity = (typeof ENTITIES)[number]
const ACTORS = ['user', 'api_key', 'webhook', 'system'] as const
type Filters = {
  entity?: Entity
  actorKind?: (typeof ACTORS)[number]
  actorId?: string
  since?: string
  until?: string
}

export function AuditSettings() {
  const t = useTranslations('audit')
  const settings = useTranslations('settings')
  const [filters, setFilters] = useState<Filters>({})
  const list = useInfiniteQuery(pages('audit.list', { ...filters, limit: 50 }))
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Panel title={settings('audit')} wide>
      <p className="text-muted">{t('intro')}</p>
      <AuditFilters onChange={setFilters} />
      <Loaded of={list}>
        {() =>
          items.length === 0 ? (
            <Empty>{t('empty')}</Empty>
          ) : (
            <ol aria-label={settings('audit')} className="flex flex-col">
              {items.map((entry) => (
                <li key={entry.id} className="flex flex-col gap-1 border-line border-b py-2">
                  <span className="flex flex-wrap items-baseline gap-x-2">
                    <bdi className="font-medium">{entry.actorName ?? t(entry.actorKind)}</bdi>
                    <code dir="ltr">{entry.action}</code>
                    <span>{isEntity(entry.entity) ? t(entry.entity) : entry.entity}</span>
                    <Ago at={entry.at} className="text-muted text-sm" />
                  </span>
                  <details className="text-sm">
                    <summary className="cursor-pointer text-muted">{t('details')}</summary>
                    <pre dir="ltr" className="overflow-x-auto whitespace-pre-wrap break-all">
                      {JSON.stringify({ id: entry.entityId, by: entry.actorId, ...entry.data }, null, 2)}
                    </pre>
                  </details>
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
      <More of={list} />
    </Panel>
  )
}

const isEntity = (entity: string): entity is Entity => ENTITIES.some((each) => each === entity)

function AuditFilters({ onChange }: { onChange(filters: Filters): void }) {
  const t = useTranslations('audit')
  const timeZone = useTimeZone()
  const members = useQuery(query('members.list', { limit: 200 }))
  const read = (form: HTMLFormElement) => {
    const data = new FormData(form)
    const entity = ENTITIES.find((each) => each === data.get('entity'))
    const actor = String(data.get('actor'))
    const actorKind = ACTORS.find((each) => each === actor)
    const [since, until] = [String(data.get('since')), String(data.get('until'))]
    onChange({
      ...(entity ? { entity } : {}),
      ...(actorKind ? { actorKind } : actor ? { actorKind: 'user', actorId: actor } : {}),
      ...(since ? { since: momentAt(since, '00:00', timeZone).toISOString() } : {}),
      ...(until ? { until: momentAt(addDays(until, 1), '00:00', timeZone).toISOString() } : {}),
    })
  }
  return (
    <form className="grid gap-3 sm:grid-cols-2 lg:grid-cols-4" onChange={(event) => read(event.currentTarget)}>
      <Field label={t('entity')}>
        {(className) => (
          <select name="entity" className={className}>
            <option value="">{t('all')}</option>
            {ENTITIES.map((entity) => (
              <option key={entity} value={entity}>
                {t(entity)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={t('actor')}>
        {(className) => (
          <select name="actor" className={className}>
            <option value="">{t('all')}</option>
            {members.data?.items.map((member) => (
              <option key={member.id} value={member.userId}>
                {member.name || member.email}
              </option>
            ))}
            {ACTORS.map((kind) => (
              <option key={kind} value={kind}>
                {t(kind)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={t('since')}>{(className) => <input name="since" type="date" className={className} />}</Field>
      <Field label={t('until')}>{(className) => <input name="until" type="date" className={className} />}</Field>
    </form>
  )
}
