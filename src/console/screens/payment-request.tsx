import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field, Panel, Problem } from '../ui/fields.tsx'

/** Asks a customer for money: makes the link, and sends it when that is wanted. */
export function PaymentRequestForm() {
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
          <p role="status" className="flex flex-wrap items-center gap-2 break-all rounded-lg bg-accent-soft p-3">
            {t(request.data.messageId ? 'madeAndSent' : 'made')} <bdi dir="ltr">{request.data.url}</bdi>
            <CopyLink url={request.data.url} />
          </p>
        )}
        <Act type="submit" look="main" className="self-start" isDisabled={request.isPending}>
          {t('create')}
        </Act>
      </form>
    </Panel>
  )
}

/** Puts an address into the clipboard; where the browser refuses that, it is shown to be copied by hand. */
export function CopyLink({ url }: { url: string }) {
  const t = useTranslations('money')
  const [state, setState] = useState<'ready' | 'copied' | 'refused'>('ready')
  if (state === 'refused')
    return (
      <bdi dir="ltr" className="break-all text-sm">
        {url}
      </bdi>
    )
  return (
    <Act
      onPress={() => {
        // Only pages with a certificate, and those of this machine, have a clipboard.
        if (!('clipboard' in navigator)) return setState('refused')
        void navigator.clipboard.writeText(url).then(
          () => setState('copied'),
          () => setState('refused'),
        )
      }}
    >
      <span aria-live="polite">{t(state === 'copied' ? 'copied' : 'copy')}</span>
    </Act>
  )
}
