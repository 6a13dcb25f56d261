import { useMutation } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field, Problem } from '../ui/fields.tsx'
import { Popup } from '../ui/popup.tsx'

/** Asks the contact for money: the link goes out as a message. */
export function PaymentPopup({ contactId, onClose }: { contactId: string; onClose(): void }) {
  const t = useTranslations()
  const [amount, setAmount] = useState('')
  const [description, setDescription] = useState('')
  // One key for one dialog: pressed again after a lost answer, it is the same payment.
  const key = useRef(crypto.randomUUID())
  const request = useMutation({
    ...mutation('payments.request'),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: ['conversations'] })
      onClose()
    },
  })
  const agorot = Math.round(Number(amount) * 100)
  return (
    <Popup title={t('money.request')} isOpen onClose={onClose}>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault()
          request.mutate({ contact: contactId, amount: agorot, description, send: true, idempotencyKey: key.current })
        }}
      >
        <Field label={t('money.amount')}>
          {(className) => (
            <input
              type="number"
              inputMode="decimal"
              min="0.01"
              step="0.01"
              required
              value={amount}
              onChange={(event) => setAmount(event.target.value)}
              className={className}
            />
          )}
        </Field>
        <Field label={t('money.description')} hint={t('composer.paymentHint')}>
          {(className) => (
            <input
              dir="auto"
              required
              maxLength={127}
              value={description}
              onChange={(event) => setDescription(event.target.value)}
              className={className}
            />
          )}
        </Field>
        <Problem error={request.error} />
        <Act type="submit" look="main" isDisabled={request.isPending || !(agorot > 0) || description.trim() === ''}>
          {t('composer.sendPayment')}
        </Act>
      </form>
    </Popup>
  )
}
