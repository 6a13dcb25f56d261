import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { below } from '../../app/base.ts'
import { useLocale } from '../../app/i18n.tsx'
import { mutation, type Out, pages, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Panel, Problem } from '../../ui/fields.tsx'
import { More } from '../../ui/more.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { Ago } from '../../ui/values.tsx'

type Alert = Out<'alerts.list'>['items'][number]
const again = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['alerts'] }) }

/** What was sent, who takes care of it, and how it reached whom. */
export function AlertHistory() {
  const t = useTranslations('alerts')
  const list = useInfiniteQuery(pages('alerts.list', { limit: 20 }))
  const kinds = useQuery(query('alerts.kinds'))
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  const { locale } = useLocale()
  const titleOf = (kind: string) => kinds.data?.items.find((each) => each.kind === kind)?.title[locale] ?? kind
  return (
    <Panel title={t('history')}>
      <Loaded of={list}>
        {() =>
          items.length === 0 ? (
            <Empty>{t('noHistory')}</Empty>
          ) : (
            <ul aria-label={t('history')} className="flex flex-col gap-2">
              {items.map((alert) => (
                <AlertRow key={alert.id} alert={alert} title={titleOf(alert.kind)} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <More of={list} />
    </Panel>
  )
}

function AlertRow({ alert, title }: { alert: Alert; title: string }) {
  const t = useTranslations('alerts')
  const take = useMutation({ ...mutation('alerts.take'), ...again })
  const [open, setOpen] = useState(false)
  const name = alert.takenBy ?? t('someone')
  const taken = alert.answer === 'call_back' ? t('calledBack', { name }) : t('taken', { name })
  return (
    <li className="flex flex-col gap-2 rounded-lg border border-line p-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <a href={below(`/console/${alert.url}`)} className="min-w-0 flex-1 font-medium">
          {title}
          {alert.who && (
            <>
              {': '}
              <bdi>{alert.who}</bdi>
            </>
          )}
        </a>
        <Ago at={alert.openedAt ?? alert.lastAt} className="text-muted text-sm" />
      </div>
      <div className="flex flex-wrap items-center gap-3">
        <bdi className="min-w-0 flex-1 text-muted text-sm">
          {alert.takenAt ? taken : alert.state === 'over' ? t('over') : t('open')}
        </bdi>
        {alert.state === 'open' && <Act onPress={() => take.mutate({ id: alert.id })}>{t('take')}</Act>}
        <Act look="quiet" aria-expanded={open} onPress={() => setOpen(!open)}>
          {t('details')}
        </Act>
      </div>
      <Problem error={take.error} />
      {open && <Deliveries id={alert.id} />}
    </li>
  )
}

function Deliveries({ id }: { id: string }) {
  const t = useTranslations('alerts')
  const alert = useQuery(query('alerts.get', { id }))
  return (
    <Loaded of={alert}>
      {({ deliveries }) =>
        deliveries.length === 0 ? (
          <Empty>{t('noDeliveries')}</Empty>
        ) : (
          <ul className="flex flex-col gap-1 border-line border-t pt-2 text-sm">
            {deliveries.map((delivery) => (
              <li key={delivery.id} className="flex flex-wrap gap-x-3">
                <bdi>{delivery.to ?? t('machine')}</bdi>
                <span>{t(delivery.way)}</span>
                <span className={delivery.state === 'failed' ? 'text-danger' : 'text-muted'}>{t(delivery.state)}</span>
                {delivery.sentAt && <Ago at={delivery.sentAt} className="text-muted" />}
                {delivery.error && (
                  <bdi dir="ltr" className="basis-full break-words text-muted">
                    {delivery.error}
                  </bdi>
                )}
              </li>
            ))}
          </ul>
        )
      }
    </Loaded>
  )
}
