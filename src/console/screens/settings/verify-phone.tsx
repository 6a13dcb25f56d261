import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, type Out, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Field, Problem } from '../../ui/fields.tsx'

const again = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['alerts'] }) }

/** The member's own number gets alerts once a code that was sent there is entered. */
export function VerifyPhone({ notified }: { notified: Out<'alerts.mine'> }) {
  const t = useTranslations('alerts')
  const send = useMutation(mutation('alerts.sendCode'))
  const confirm = useMutation({ ...mutation('alerts.confirmPhone'), ...again })
  const [code, setCode] = useState('')
  if (!notified.phone) return null
  if (notified.phoneVerified) return <p role="status">{t('verified')}</p>
  return (
    <form
      className="flex flex-col gap-3 rounded-lg border border-line p-3"
      onSubmit={(event) => {
        event.preventDefault()
        confirm.mutate({ code })
      }}
    >
      <p>{t('verifyIntro')}</p>
      <div className="flex flex-wrap gap-3">
        {(['sms', 'whatsapp'] as const).map((way) => (
          <Act key={way} isDisabled={send.isPending} onPress={() => send.mutate({ way })}>
            {t('sendCode', { way: t(way) })}
          </Act>
        ))}
      </div>
      {send.isSuccess && <p role="status">{t('codeSent')}</p>}
      <Problem error={send.error} />
      <Field label={t('code')}>
        {(className) => (
          <input
            required
            dir="ltr"
            inputMode="numeric"
            autoComplete="one-time-code"
            pattern="[0-9]{6}"
            maxLength={6}
            className={className}
            value={code}
            onChange={({ target }) => setCode(target.value)}
          />
        )}
      </Field>
      <Act type="submit" look="main" className="self-start" isDisabled={confirm.isPending}>
        {t('verify')}
      </Act>
      <Problem error={confirm.error} />
    </form>
  )
}
