import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { mutation, type Out, pages, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { MoreRow } from '../ui/more.tsx'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { Ago, Money, Phone, Written } from '../ui/values.tsx'
import { CopyLink, PaymentRequestForm } from './payment-request.tsx'

type Payment = Out<'payments.list'>['items'][number]
type State = Payment['state']

const STATES: State[] = ['created', 'pending', 'paid', 'refunded', 'failed', 'expired']

/** What was asked of customers and how it stands; a payment is requested above, and a paid one given back. */
export function Payments() {
  const t = useTranslations()
  const [state, setState] = useState<State | ''>('')
  const list = useInfiniteQuery(pages('payments.list', { limit: 50, ...(state ? { state } : {}) }))
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <>
      <Heading
        aside={
          <select
            aria-label={t('money.state')}
            value={state}
            onChange={({ target }) => setState(STATES.find((each) => each === target.value) ?? '')}
            className="ms-auto rounded-lg border border-line bg-page px-2 py-1.5"
          >
            <option value="">{t('money.all')}</option>
            {STATES.map((each) => (
              <option key={each} value={each}>
                {t(`money.${each}`)}
              </option>
            ))}
          </select>
        }
      >
        {t('money.title')}
      </Heading>
      <div className="flex min-h-0 flex-1 flex-col gap-4 overflow-y-auto p-4">
        <PaymentRequestForm />
        <Loaded of={list}>
          {() =>
            items.length === 0 ? (
              <Empty icon="card">{t(state ? 'state.noResults' : 'money.empty')}</Empty>
            ) : (
              <ul className="rounded-xl border border-line bg-surface">
                {items.map((payment) => (
                  <Row key={payment.id} payment={payment} />
                ))}
                <MoreRow of={list} />
              </ul>
            )
          }
        </Loaded>
      </div>
    </>
  )
}

function Row({ payment }: { payment: Payment }) {
  const t = useTranslations('money')
  const { state, reason, refundedAmount, currency } = payment
  const isOpen = state === 'created' || state === 'pending'
  const who = payment.contactName ? <bdi>{payment.contactName}</bdi> : payment.phone && <Phone value={payment.phone} />
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 border-line border-b px-4 py-3 last:border-b-0">
      <span className="min-w-0 flex-1">
        <Written className="block truncate">{payment.description}</Written>
        <span className="block text-muted text-sm">
          {payment.contactId ? (
            <Link to="/inbox" search={{ view: 'all', contact: payment.contactId }} className="underline">
              {who}
            </Link>
          ) : (
            who
          )}
        </span>
        {reason && <Written className="block text-danger text-sm">{reason}</Written>}
      </span>
      <Money amount={payment.amount} currency={currency} />
      <span
        className={state === 'paid' ? 'font-semibold text-accent' : state === 'failed' ? 'text-danger' : 'text-muted'}
      >
        {t(state)}
        {refundedAmount > 0 && refundedAmount < payment.amount && (
          <>
            {' '}
            ({t('refundedPart')} <Money amount={refundedAmount} currency={currency} />)
          </>
        )}
      </span>
      <Ago at={payment.createdAt} className="text-muted text-sm" />
      {isOpen && <CopyLink url={payment.url} />}
      {state === 'paid' && <Refund payment={payment} />}
    </li>
  )
}

/** Gives a payment back. Money that went cannot be taken back: it is asked once more. */
function Refund({ payment }: { payment: Payment }) {
  const t = useTranslations()
  const [asking, setAsking] = useState(false)
  const refund = useMutation({
    ...mutation('payments.refund'),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['payments'] }),
  })
  const mayRefund = useAccess().may('manager')
  if (!mayRefund) return null
  if (payment.provider !== 'paypal') return <span className="text-muted text-sm">{t('money.refundElsewhere')}</span>
  return (
    <span className="flex flex-wrap items-center gap-2">
      {asking ? (
        <>
          {t('money.refundSure')}
          <Act look="main" isDisabled={refund.isPending} onPress={() => refund.mutate({ id: payment.id })}>
            {t('money.refundNow')} <Money amount={payment.amount} currency={payment.currency} />
          </Act>
          <Act onPress={() => setAsking(false)}>{t('state.cancel')}</Act>
        </>
      ) : (
        <Act onPress={() => setAsking(true)}>{t('money.refund')}</Act>
      )}
      <Problem error={refund.error} />
    </span>
  )
}
