import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, pages, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field, Panel, Problem } from '../ui/fields.tsx'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { Ago, Money, Phone, Written } from '../ui/values.tsx'

export function Payments() {
  const t = useTranslations()
  const list = useInfiniteQuery(pages('payments.list', { limit: 50 }))
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['payments'] }) }
  const refund = useMutation({ ...mutation('payments.refund'), ...done })
  return (
    <>
      <Heading>{t('money.title')}</Heading>
      <div className="flex min-h-0 flex-1 flex-col gap-4 overflow-y-auto p-4">
        <RequestForm />
        <Problem error={refund.error} />
        <Loaded of={list}>
          {() =>
            items.length === 0 ? (
              <Empty>{t('money.empty')}</Empty>
            ) : (
              <ul className="rounded-xl border border-line bg-surface">
                {items.map((payment) => (
                  <li
                    key={payment.id}
                    className="flex flex-wrap items-center gap-3 border-line border-b px-4 py-3 last:border-b-0"
                  >
                    <span className="min-w-0 flex-1">
                      <Written className="block truncate">{payment.description}</Written>
                      <span className="block text-muted text-sm">
                        {payment.contactName ? (
                          <bdi>{payment.contactName}</bdi>
                        ) : (
                          payment.phone && <Phone value={payment.phone} />
                        )}
                      </span>
                    </span>
                    <Money amount={payment.amount} currency={payment.currency} />
                    <span className={payment.state === 'paid' ? 'font-semibold text-accent' : 'text-muted'}>
                      {t(`money.${payment.state}`)}
                    </span>
                    <Ago at={payment.createdAt} className="text-muted text-sm" />
                    {payment.state === 'paid' && payment.provider === 'paypal' && (
                      <Act onPress={() => refund.mutate({ id: payment.id })}>{t('money.refund')}</Act>
                    )}
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      </div>
    </>
  )
}

function RequestForm() {
  const t = useTranslations('money')
  // The same form after a lost answer is the same payment; a changed one, or the next after a success, is another.
  const [key, setKey] = useState(() => crypto.randomUUID())
  const request = useMutation({
    ...mutation('payments.request'),
    onSuccess: () => {
      setKey(crypto.randomUUID())
      return queryClient.invalidateQueries({ queryKey: ['payments'] })
    },
  })
  return (
    <Panel title={t('request')}>
      <form
        className="flex flex-col gap-3"
        onChange={() => setKey(crypto.randomUUID())}
        onSubmit={(event) => {
          event.preventDefault()
          const element = event.currentTarget
          const form = new FormData(element)
          request.mutate(
            {
              contact: String(form.get('contact')),
              amount: Math.round(Number(form.get('amount')) * 100),
              description: String(form.get('description')),
              send: form.get('send') === 'on',
              idempotencyKey: key,
            },
            { onSuccess: () => element.reset() },
          )
        }}
      >
        <Field label={t('contact')}>
          {(className) => <input name="contact" type="tel" dir="ltr" required className={className} />}
        </Field>
        <Field label={t('amount')}>
          {(className) => (
            <input name="amount" type="number" min="0.01" step="0.01" dir="ltr" required className={className} />
          )}
        </Field>
        <Field label={t('description')}>
          {(className) => <input name="description" dir="auto" required maxLength={127} className={className} />}
        </Field>
        <label className="flex items-center gap-2">
          <input type="checkbox" name="send" className="size-4" />
          {t('send')}
        </label>
        <Problem error={request.error} />
        {request.data && (
          <p role="status" className="break-all rounded-lg bg-accent-soft p-3">
            {t('made')} <bdi dir="ltr">{request.data.url}</bdi>
          </p>
        )}
        <Act type="submit" look="main" className="self-start" isDisabled={request.isPending}>
          {t('create')}
        </Act>
      </form>
    </Panel>
  )
}
