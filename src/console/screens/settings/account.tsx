import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useTranslations } from 'use-intl'
import {
  useChangePassword,
  useDisableTotp,
  useEnableTotp,
  useNewRecoveryCodes,
  useRename,
  useRevokeOthers,
  useRevokeSession,
  useSessions,
  useVerifyTotp,
} from '../../app/login.ts'
import { query } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { QrCode } from '../../ui/qr-code.tsx'
import { Loaded } from '../../ui/states.tsx'
import { Ago } from '../../ui/values.tsx'
import { ThemeChoice } from './theme.tsx'

export function AccountSettings() {
  const t = useTranslations('account')
  const me = useQuery(query('account.me'))
  return (
    <Loaded of={me}>
      {({ user }) => (
        <>
          <ThemeChoice />
          {user ? (
            <>
              <Profile name={user.name} email={user.email} />
              <Password email={user.email} />
              {user.twoFactorEnabled ? <SecondFactorOn /> : <SecondFactorOff />}
              <Sessions />
            </>
          ) : (
            <Panel title={t('title')}>
              <p>{t('noLogin')}</p>
            </Panel>
          )}
        </>
      )}
    </Loaded>
  )
}

/** A form of a few fields that says whether it worked. */
function Form({
  submit,
  error,
  done,
  isPending,
  onSubmit,
  children,
}: {
  submit: string
  error: Error | null
  done?: string | false
  isPending: boolean
  onSubmit(value: (name: string) => string, reset: () => void): void
  children: ReactNode
}) {
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        const element = event.currentTarget
        const form = new FormData(element)
        onSubmit(
          (name) => String(form.get(name) ?? ''),
          () => element.reset(),
        )
      }}
    >
      {children}
      <Problem error={error} />
      <div className="flex flex-wrap items-center gap-3">
        <Act type="submit" isDisabled={isPending}>
          {submit}
        </Act>
        {done && <span role="status">{done}</span>}
      </div>
    </form>
  )
}

function PasswordField({ label, isNew = false, name = 'password' }: { label: string; isNew?: boolean; name?: string }) {
  const t = useTranslations('account')
  return (
    <Field label={label} {...(isNew ? { hint: t('passwordHint') } : {})}>
      {(className) => (
        <input
          name={name}
          type="password"
          dir="ltr"
          required
          maxLength={128}
          autoComplete={isNew ? 'new-password' : 'current-password'}
          className={className}
        />
      )}
    </Field>
  )
}

function Profile({ name, email }: { name: string; email: string }) {
  const t = useTranslations('account')
  const state = useTranslations('state')
  const rename = useRename()
  return (
    <Panel title={t('title')}>
      <bdi dir="ltr" className="text-muted">
        {email}
      </bdi>
      <Form
        submit={state('save')}
        error={rename.error}
        done={rename.isSuccess && state('saved')}
        isPending={rename.isPending}
        onSubmit={(value) => rename.mutate(value('name').trim())}
      >
        <Field label={t('name')}>
          {(className) => (
            <input
              name="name"
              dir="auto"
              required
              maxLength={100}
              autoComplete="name"
              defaultValue={name}
              className={className}
            />
          )}
        </Field>
      </Form>
    </Panel>
  )
}

function Password({ email }: { email: string }) {
  const t = useTranslations('account')
  const change = useChangePassword()
  return (
    <Panel title={t('password')}>
      <Form
        submit={t('changePassword')}
        error={change.error}
        done={change.isSuccess && t('passwordChanged')}
        isPending={change.isPending}
        onSubmit={(value, reset) =>
          change.mutate({ currentPassword: value('password'), newPassword: value('newPassword') }, { onSuccess: reset })
        }
      >
        {/* Password managers tell by it whose password it is. */}
        <input type="email" value={email} readOnly hidden autoComplete="username" />
        <PasswordField label={t('currentPassword')} />
        <PasswordField label={t('newPassword')} name="newPassword" isNew />
      </Form>
    </Panel>
  )
}

function RecoveryCodes({ codes }: { codes: string[] }) {
  const t = useTranslations('account')
  return (
    <div role="status" className="flex flex-col gap-2 rounded-lg bg-accent-soft p-3">
      <p>{t('recoveryCodes')}</p>
      <ul dir="ltr" className="grid grid-cols-2 gap-1 font-mono">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
    </div>
  )
}

/** Password, then the code is scanned, then a one-time code proves that it was. */
function SecondFactorOff() {
  const t = useTranslations('account')
  const enable = useEnableTotp()
  const verify = useVerifyTotp()
  const secret = enable.data && new URL(enable.data.totpURI).searchParams.get('secret')
  return (
    <Panel title={t('secondFactor')}>
      <p className="text-muted">{t('secondFactorIntro')}</p>
      {enable.data ? (
        <>
          <p>{t('scan')}</p>
          <QrCode text={enable.data.totpURI} label={t('qr')} />
          <p>
            {t('typeSecret')}{' '}
            <code dir="ltr" className="break-all">
              {secret}
            </code>
          </p>
          <RecoveryCodes codes={enable.data.backupCodes} />
          <Form
            submit={t('turnOn')}
            error={verify.error}
            isPending={verify.isPending}
            onSubmit={(value) => verify.mutate(value('code').trim())}
          >
            <Field label={t('code')}>
              {(className) => (
                <input
                  name="code"
                  dir="ltr"
                  inputMode="numeric"
                  autoComplete="one-time-code"
                  required
                  className={className}
                />
              )}
            </Field>
          </Form>
        </>
      ) : (
        <Form
          submit={t('begin')}
          error={enable.error}
          isPending={enable.isPending}
          onSubmit={(value) => enable.mutate(value('password'))}
        >
          <PasswordField label={t('currentPassword')} />
        </Form>
      )}
    </Panel>
  )
}

function SecondFactorOn() {
  const t = useTranslations('account')
  const disable = useDisableTotp()
  const renew = useNewRecoveryCodes()
  const [intent, setIntent] = useState<'renew' | 'disable' | null>(null)
  const chosen = intent === 'renew' ? renew : disable
  return (
    <Panel title={t('secondFactor')}>
      <p>{t('isOn')}</p>
      {renew.data && <RecoveryCodes codes={renew.data.backupCodes} />}
      <div className="flex flex-wrap gap-2">
        <Act aria-expanded={intent === 'renew'} onPress={() => setIntent('renew')}>
          {t('newCodes')}
        </Act>
        <Act aria-expanded={intent === 'disable'} onPress={() => setIntent('disable')}>
          {t('turnOff')}
        </Act>
      </div>
      {intent && (
        <Form
          key={intent}
          submit={intent === 'renew' ? t('newCodes') : t('turnOff')}
          error={chosen.error}
          isPending={chosen.isPending}
          onSubmit={(value) =>
            intent === 'renew'
              ? renew.mutate(value('password'), { onSuccess: () => setIntent(null) })
              : disable.mutate(value('password'))
          }
        >
          <PasswordField label={t('currentPassword')} />
        </Form>
      )}
    </Panel>
  )
}

function Sessions() {
  const t = useTranslations('account')
  const sessions = useSessions()
  const revoke = useRevokeSession()
  const others = useRevokeOthers()
  return (
    <Panel title={t('sessions')}>
      <Problem error={revoke.error ?? others.error} />
      <Loaded of={sessions}>
        {(all) => (
          <>
            <ul aria-label={t('sessions')} className="flex flex-col gap-2">
              {all.map((session) => (
                <li key={session.token} className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
                  <span className="min-w-0 flex-1">
                    <bdi dir="ltr" className="block truncate">
                      {browserOf(session.userAgent ?? '') || t('unknownBrowser')}
                    </bdi>
                    <span className="flex flex-wrap gap-x-2 text-muted text-sm">
                      {session.ipAddress && <bdi dir="ltr">{session.ipAddress}</bdi>}
                      <Ago at={session.updatedAt} />
                    </span>
                  </span>
                  {session.current ? (
                    <span className="text-accent">{t('thisBrowser')}</span>
                  ) : (
                    <Act onPress={() => revoke.mutate(session.token)}>{t('endSession')}</Act>
                  )}
                </li>
              ))}
            </ul>
            {all.length > 1 && (
              <Confirm
                label={t('endOthers')}
                question={t('endOthersQuestion')}
                onConfirm={() => others.mutate(undefined)}
              />
            )}
          </>
        )}
      </Loaded>
    </Panel>
  )
}

/** The browser and system that a user agent names, such as `Chrome · Windows`. */
function browserOf(userAgent: string): string {
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\//.exec(userAgent)?.[1]
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|Linux)/.exec(userAgent)?.[1]
  return [browser === 'Edg' ? 'Edge' : browser === 'OPR' ? 'Opera' : browser, system].filter(Boolean).join(' · ')
}
