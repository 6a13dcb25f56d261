import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { mutation, type Out, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field, Panel, Problem } from '../ui/fields.tsx'
import { QrCode } from '../ui/qr-code.tsx'
import { Loaded } from '../ui/states.tsx'
import { Ago, national, Phone } from '../ui/values.tsx'

type Account = Out<'whatsapp.list'>['items'][number]
const LOOK_EVERY_MS = 2_000

/** Linked accounts; while one waits to be linked its code is renewed. */
export function WhatsAppSettings() {
  const t = useTranslations('settings')
  const accounts = useQuery({
    ...query('whatsapp.list'),
    refetchInterval: ({ state }) =>
      state.data?.items.some((account) => account.state !== 'working') ? LOOK_EVERY_MS : false,
  })
  const add = useMutation({ ...mutation('whatsapp.create'), onSuccess: refresh })
  return (
    <Panel title={t('linked')}>
      <Loaded of={accounts}>
        {({ items }) => (
          <ul className="flex flex-col gap-4">
            {items.map((account) => (
              <AccountCard key={account.id} account={account} />
            ))}
          </ul>
        )}
      </Loaded>
      <Problem error={add.error} />
      <Act look="main" className="self-start" isDisabled={add.isPending} onPress={() => add.mutate({})}>
        {t('add')}
      </Act>
    </Panel>
  )
}

const refresh = () => queryClient.invalidateQueries({ queryKey: ['whatsapp'] })

const ADVICE = {
  requested: 'adviceRequested',
  logged_out: 'adviceLoggedOut',
  link_expired: 'adviceExpired',
  number_taken: 'adviceTaken',
  no_worker: 'adviceNoWorker',
} as const

/** What to do about an account, by why it does not work; the code to scan speaks for itself. */
function Advice({ account }: { account: Account }) {
  const t = useTranslations('settings')
  const { advice, qr, reason, state, confirmationNeeded } = account
  if (!advice || qr || confirmationNeeded) return null
  const known = Object.entries(ADVICE).find(([name]) => name === reason)?.[1]
  const text = known ?? (state === 'blocked' ? 'adviceBlocked' : state === 'failed' ? 'adviceFailing' : null)
  return <p className="text-sm">{text ? t(text) : <bdi>{advice}</bdi>}</p>
}

function AccountCard({ account }: { account: Account }) {
  const t = useTranslations('settings')
  const done = { onSuccess: refresh }
  const link = useMutation({ ...mutation('whatsapp.link'), ...done })
  const logout = useMutation({ ...mutation('whatsapp.logout'), ...done })
  const remove = useMutation({ ...mutation('whatsapp.remove'), ...done })
  const confirm = useMutation({ ...mutation('whatsapp.confirm'), ...done })
  const refuse = useMutation({ ...mutation('whatsapp.refuse'), ...done })
  const { confirmationNeeded } = account
  const works = account.state === 'working'
  return (
    <li className="flex flex-col gap-3 rounded-lg border border-line p-3">
      <p className="flex flex-wrap items-center gap-2">
        <strong>{account.phone ? <Phone value={account.phone} /> : '—'}</strong>
        <span className={`rounded-full px-2 text-sm ${works ? 'bg-accent-soft' : 'bg-warn-soft text-warn'}`}>
          {works ? t('working') : t('notWorking')}
        </span>
        <span className="text-muted text-sm">
          <Ago at={account.since} />
        </span>
      </p>
      <Advice account={account} />
      {confirmationNeeded && (
        <div role="alert" className="flex flex-col gap-2 rounded-lg bg-warn-soft p-3">
          <p>
            {t('confirmNeeded', {
              phone: national(confirmationNeeded.phone),
              expected: national(confirmationNeeded.expectedPhone),
            })}
          </p>
          <div className="flex gap-2">
            <Act onPress={() => confirm.mutate({ id: account.id, phone: confirmationNeeded.phone })}>
              {t('confirm')}
            </Act>
            <Act onPress={() => refuse.mutate({ id: account.id, phone: confirmationNeeded.phone })}>{t('refuse')}</Act>
          </div>
        </div>
      )}
      {account.qr && (
        <figure className="flex flex-col gap-2">
          <figcaption>{t('scan')}</figcaption>
          <QrCode text={account.qr} label={t('qr')} />
        </figure>
      )}
      {account.pairingCode && (
        <p>
          {t('pairing')}{' '}
          <bdi dir="ltr" className="font-bold text-2xl tracking-widest">
            {account.pairingCode}
          </bdi>
        </p>
      )}
      {!works && (
        <form
          className="flex flex-col gap-2"
          onSubmit={(event) => {
            event.preventDefault()
            link.mutate({ id: account.id, phone: String(new FormData(event.currentTarget).get('phone')) })
          }}
        >
          <Field label={t('phone')}>
            {(className) => <input name="phone" type="tel" dir="ltr" required className={className} />}
          </Field>
          <Act type="submit" className="self-start">
            {t('askPairing')}
          </Act>
        </form>
      )}
      <Problem error={link.error ?? logout.error ?? remove.error ?? confirm.error ?? refuse.error} />
      <div className="flex flex-wrap gap-2">
        {works ? (
          <Act onPress={() => logout.mutate({ id: account.id })}>{t('logout')}</Act>
        ) : (
          <>
            <Act onPress={() => link.mutate({ id: account.id })}>{t('relink')}</Act>
            <Act onPress={() => remove.mutate({ id: account.id })}>{t('remove')}</Act>
          </>
        )}
      </div>
    </li>
  )
}
