import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { useFindingText } from '../../app/errors.ts'
import { mutation, type Out, pages, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Copyable } from '../../ui/copy.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { More, MoreRow } from '../../ui/more.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { Ago } from '../../ui/values.tsx'

type Endpoint = Out<'webhooks.list'>['items'][number]
const GROUPS = ['call', 'message', 'conversation', 'contact', 'lead', 'appointment', 'payment', 'whatsapp'] as const
const STATES = ['pending', 'delivered', 'failed'] as const
const again = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['webhooks'] }) }

export function WebhookSettings() {
  const t = useTranslations('webhooks')
  const settings = useTranslations('settings')
  const { may } = useAccess()
  const list = useInfiniteQuery(pages('webhooks.list', { limit: 50 }))
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Panel title={settings('webhooks')}>
      <p className="text-muted">{t('intro')}</p>
      <Loaded of={list}>
        {() =>
          items.length === 0 ? (
            <Empty>{t('empty')}</Empty>
          ) : (
            <ul aria-label={settings('webhooks')} className="flex flex-col gap-3">
              {items.map((endpoint) => (
                <EndpointRow key={endpoint.id} endpoint={endpoint} />
              ))}
              <MoreRow of={list} />
            </ul>
          )
        }
      </Loaded>
      {may('owner') && <NewEndpoint />}
    </Panel>
  )
}

function EndpointRow({ endpoint }: { endpoint: Endpoint }) {
  const t = useTranslations('webhooks')
  const { may } = useAccess()
  const update = useMutation({ ...mutation('webhooks.update'), ...again })
  const remove = useMutation({ ...mutation('webhooks.remove'), ...again })
  const [open, setOpen] = useState(false)
  const { id, enabled } = endpoint
  return (
    <li className="flex flex-col gap-2 rounded-lg border border-line p-3">
      <bdi dir="ltr" className="break-all font-mono text-sm">
        {endpoint.url}
      </bdi>
      {endpoint.description && <bdi className="text-muted">{endpoint.description}</bdi>}
      <span className="text-muted text-sm">
        {enabled ? t('enabled') : t('disabled')}
        {' · '}
        {endpoint.types ? <bdi dir="ltr">{endpoint.types.join(', ')}</bdi> : t('everything')}
      </span>
      <div className="flex flex-wrap gap-2">
        <Act aria-expanded={open} onPress={() => setOpen(!open)}>
          {t('deliveries')}
        </Act>
        {may('owner') && (
          <>
            <Act onPress={() => update.mutate({ id, enabled: !enabled })}>{enabled ? t('disable') : t('enable')}</Act>
            <Confirm label={t('remove')} question={t('removeQuestion')} onConfirm={() => remove.mutate({ id })} />
          </>
        )}
      </div>
      <Problem error={update.error ?? remove.error} />
      {open && <Deliveries endpointId={id} />}
    </li>
  )
}

function Deliveries({ endpointId }: { endpointId: string }) {
  const t = useTranslations('webhooks')
  const [wanted, setWanted] = useState<(typeof STATES)[number] | undefined>(undefined)
  const list = useInfiniteQuery({
    ...pages('webhooks.deliveries', { id: endpointId, limit: 20, ...(wanted ? { state: wanted } : {}) }),
    // Attempts that follow each other make no event of their own.
    refetchInterval: 5_000,
  })
  const textOf = useFindingText()
  const replay = useMutation({ ...mutation('webhooks.replay'), ...again })
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <div className="flex flex-col gap-2 border-line border-t pt-2">
      <Field label={t('state')}>
        {(className) => (
          <select
            className={className}
            value={wanted ?? ''}
            onChange={(event) => setWanted(STATES.find((each) => each === event.target.value))}
          >
            <option value="">{t('all')}</option>
            {STATES.map((each) => (
              <option key={each} value={each}>
                {t(each)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Problem error={replay.error} />
      <Loaded of={list}>
        {() =>
          items.length === 0 ? (
            <Empty>{t('noDeliveries')}</Empty>
          ) : (
            <ul aria-label={t('deliveries')} className="flex flex-col gap-1">
              {items.map((delivery) => (
                <li key={delivery.eventId} className="flex flex-wrap items-center gap-2 text-sm">
                  <code dir="ltr">#{delivery.eventId}</code>
                  <span className={delivery.state === 'failed' ? 'text-danger' : ''}>{t(delivery.state)}</span>
                  <span className="text-muted">
                    {t('attempts', { count: delivery.attempts })}
                    {delivery.status !== null && <bdi dir="ltr"> HTTP {delivery.status}</bdi>}
                  </span>
                  {delivery.error && (
                    <span className="text-danger" title={delivery.error}>
                      {textOf({ code: delivery.code, message: delivery.error })}
                    </span>
                  )}
                  <Ago at={delivery.deliveredAt ?? delivery.createdAt} className="text-muted" />
                  <Act
                    className="ms-auto"
                    aria-label={t('replayOf', { id: delivery.eventId })}
                    onPress={() => replay.mutate({ id: endpointId, eventId: delivery.eventId })}
                  >
                    {t('replay')}
                  </Act>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      <More of={list} />
    </div>
  )
}

function NewEndpoint() {
  const t = useTranslations('webhooks')
  const create = useMutation({ ...mutation('webhooks.create'), ...again })
  return (
    <form
      className="flex flex-col gap-3 border-line border-t pt-3"
      onSubmit={(event) => {
        event.preventDefault()
        const element = event.currentTarget
        const form = new FormData(element)
        const types = form.getAll('types').map((group) => `${group}.*`)
        create.mutate(
          {
            url: String(form.get('url')).trim(),
            description: String(form.get('description')).trim() || null,
            types: types.length > 0 ? types : null,
          },
          { onSuccess: () => element.reset() },
        )
      }}
    >
      <Field label={t('url')}>
        {(className) => (
          <input
            name="url"
            type="url"
            dir="ltr"
            required
            placeholder="https://example.com/hooks"
            className={className}
          />
        )}
      </Field>
      <Field label={t('description')}>
        {(className) => <input name="description" dir="auto" maxLength={200} className={className} />}
      </Field>
      <fieldset>
        <legend className="font-medium">{t('types')}</legend>
        <div className="mt-1 flex flex-wrap gap-x-4 gap-y-1">
          {GROUPS.map((group) => (
            <label key={group} className="flex items-center gap-2">
              <input type="checkbox" name="types" value={group} />
              {t(group)}
            </label>
          ))}
        </div>
      </fieldset>
      <Problem error={create.error} />
      {create.data && <Copyable label={t('secret')} value={create.data.secret} />}
      <Act type="submit" look="main" className="self-start" isDisabled={create.isPending}>
        {t('add')}
      </Act>
    </form>
  )
}
